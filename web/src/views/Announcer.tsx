import { announcement } from '../store/announce.ts';

/** Where screen readers hear what changed. */
export function Announcer() {
    return (
        <div class="visually-hidden" role="status" aria-live="polite">
            {announcement.value}
        </div>
    );
}
