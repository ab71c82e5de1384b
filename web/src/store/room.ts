import { signal } from '@preact/signals';
import type { AnyEvent, Connection, Gap, Stream } from '../../client/src/fanfare.ts';
import { client } from './client.ts';
import { serverNow } from './clock.ts';
import { Messages } from './messages.ts';
import { learnName, nameIn } from './names.ts';
import { RateMeter } from './rate.ts';
import { Refresh } from './refresh.ts';
import { roomEvent, RoomLog } from './roomLog.ts';
import { RoomNow } from './roomNow.ts';
import { wantToken } from './server.ts';

/*
 * One room as the page follows it: what came last, then what comes. The connection is opened first and
 * the history read then, so that nothing falls between the two; what both have is taken once.
 */

const historyMost = 200;
/** Above any offset: the answer is empty, and says where the topic is. */
const beyond = 999_999_999_999_999;

export function roomGapText({ reason, from, to }: Pick<Gap, 'reason' | 'from' | 'to'>): string {
    const which = from !== undefined && to !== undefined && to >= from ? `Events ${from} to ${to}` : 'Some events';
    const why: Record<string, string> = {
        epoch_changed: 'the server was started anew and no longer has them',
        trimmed: 'the server no longer keeps them',
        limit: 'more came while the connection was away than the server sends again',
        superseded: 'newer ones of the same thing took their place',
    };
    return `${which} are missing here: ${why[reason] ?? reason}.`;
}

export class Room {
    readonly topic: string;
    readonly log = new RoomLog();
    readonly messages = new Messages();
    readonly rate = new RateMeter();
    readonly now = new RoomNow();
    /** The offset of the newest event. */
    offset = 0;

    /** Each changes when views of that part should look again. */
    readonly changed = signal(0);
    readonly messagesChanged = signal(0);

    readonly connection = signal<Connection>({ phase: 'connecting', attempt: 0 });
    /** The connection was lost or could not be had, until there is one. */
    readonly away = signal(false);
    readonly roundTrip = signal<number | null>(null);
    /** What the reader must know, the newest last. */
    readonly notices = signal<readonly string[]>([]);
    /** Why what came before could not be read; null: it could, or is not read yet. */
    readonly historyTrouble = signal<string | null>(null);
    readonly historyRead = signal(false);

    #stream: Stream;
    #size = 0;
    #count = 0;
    #firstLive = Infinity;
    #reading = false;
    #closed = false;
    #refresh = new Refresh(() => {
        this.changed.value++;
        this.messagesChanged.value++;
    });

    constructor(topic: string) {
        this.topic = topic;
        this.#stream = client.peek().subscribe(topic);
        this.#stream.on('message', ({ direction, text, time }) => {
            this.#size = text.length;
            this.messages.take(direction, text, time);
            this.#refresh.soon();
        });
        this.#stream.on('event', (event) => this.#take(event as AnyEvent));
        this.#stream.on('gap', (gap) => this.#tell(roomGapText(gap)));
        this.#stream.on('connection', (connection) => this.#takeConnection(connection));
        this.connection.value = this.#stream.connection;
    }

    close(): void {
        this.#closed = true;
        this.#stream.close();
    }

    reconnect(): void {
        this.#stream.reconnect();
    }

    dismiss(notice: string): void {
        this.notices.value = this.notices.value.filter((each) => each !== notice);
    }

    readHistoryAgain(): void {
        void this.#readHistory();
    }

    #tell(notice: string): void {
        this.notices.value = [...this.notices.value.filter((each) => each !== notice), notice].slice(-5);
    }

    #take(event: AnyEvent): void {
        const taken = roomEvent(event, ++this.#count, this.#size);
        if (taken.offset !== null) {
            this.#firstLive = Math.min(this.#firstLive, taken.offset);
            this.offset = taken.offset;
        }
        this.log.push(taken);
        this.rate.count(serverNow());
        this.now.fold(taken);
        learnName(this.topic, nameIn(this.now, this.topic));
        this.#refresh.soon();
    }

    #takeConnection(connection: Connection): void {
        this.connection.value = connection;
        if (connection.phase !== 'connecting') this.away.value = connection.phase !== 'open';
        if (connection.phase === 'open' && !this.historyRead.peek()) void this.#readHistory();
        if (connection.phase === 'closed' && connection.error?.status === 401) wantToken();
    }

    async #readHistory(): Promise<void> {
        if (this.#reading) return;
        this.#reading = true;
        try {
            const { offset } = await client.peek().history(this.topic, { since: beyond, limit: 1 });
            const since = Math.max(0, offset - historyMost);
            const { events } = await client.peek().history(this.topic, { since, limit: historyMost });
            if (!this.#closed) this.#adopt(events, offset);
        } catch (error) {
            // A topic that nothing was published to has no history.
            const { status, message } = error as { status?: number; message: string };
            this.historyTrouble.value = status === 404 ? null : message;
            this.historyRead.value = status === 404;
        }
        this.#reading = false;
    }

    #adopt(events: readonly AnyEvent[], offset: number): void {
        const before = events.filter((event) => (event.offset ?? Infinity) < this.#firstLive);
        const numbered = before.map((event, i) => roomEvent(event, i - before.length));
        this.log.putBefore(numbered);
        this.now.foldBefore(numbered);
        learnName(this.topic, nameIn(this.now, this.topic));
        this.offset = Math.max(this.offset, offset);
        this.historyTrouble.value = null;
        this.historyRead.value = true;
        this.#refresh.soon();
    }
}
