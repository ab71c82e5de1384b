import { signal } from '@preact/signals';
import type { Connection, Gap, SessionState as Snapshot, Stream } from '../../client/src/fanfare.ts';
import { Backfill } from './backfill.ts';
import { client } from './client.ts';
import { learnTime, now } from './clock.ts';
import type { BuildEvent } from './event.ts';
import { Messages } from './messages.ts';
import { Playback } from './playback.ts';
import { Recent } from './recent.ts';
import { Refresh } from './refresh.ts';
import { wantToken } from './server.ts';
import { SessionState } from './state.ts';
import { type BuildError, Story } from './story.ts';
import { Transcripts } from './transcripts.ts';

/*
 * One session as the page follows it. It begins with the server's picture and the live tail; the
 * history before that is read in the background (Backfill) and then takes the place of what the
 * picture could not tell. Events are folded as they come; views are told at the pace of the screen.
 */

export interface Notice {
    readonly id: number;
    readonly tone: 'bad' | 'plain';
    readonly text: string;
}

/** What a session is at one moment. */
export interface Picture {
    state: SessionState;
    story: Story;
    readonly transcripts: Transcripts;
    /** The last event that is in it. */
    offset: number;
}

export interface HistoryProgress {
    phase: 'waiting' | 'reading' | 'whole' | 'trimmed' | 'failed';
    read: number;
    of: number;
    /** Why it failed. */
    error?: string;
}

const noticesMost = 5;

/** What the reader is told of events that will not come. */
export function gapText({ reason, from, to }: Pick<Gap, 'reason' | 'from' | 'to'>): string {
    const range =
        from !== undefined && to !== undefined && to >= from
            ? ` (events ${from} to ${to})`
            : from !== undefined
              ? ` (from event ${from} on)`
              : '';
    switch (reason) {
        case 'epoch_changed':
            return `The server was started anew and no longer has what came before${range}. Shown is what it knows now.`;
        case 'trimmed':
            return `The server no longer keeps everything that came while the connection was away${range}. Shown is the current state and what is kept.`;
        case 'limit':
            return `More came while the connection was away than the server sends again${range}. The history is read instead.`;
        case 'superseded':
            return `The connection was too slow for every single update${range}; the newest of each came.`;
        default:
            return `The server could not go on where the connection broke${range}: ${reason}. Shown is the current state.`;
    }
}

export class Session {
    readonly id: string;
    /** As the session is; what views show may be a moment of its past. */
    readonly live: Picture = { state: new SessionState(), story: new Story(), transcripts: new Transcripts(), offset: 0 };
    /** The newest events, for the history to meet the live tail. */
    readonly recent = new Recent();
    readonly messages = new Messages();
    /** The session's past, while somebody looks at that. */
    readonly playback = signal<Playback | null>(null);

    /** Each changes when views of that part should look again. */
    readonly headChanged = signal(0);
    readonly itemsChanged = signal(0);
    readonly storyChanged = signal(0);
    readonly messagesChanged = signal(0);

    /** Whether the server's picture has come. */
    readonly known = signal(false);
    readonly connection = signal<Connection>({ phase: 'connecting', attempt: 0 });
    /** The connection was lost or could not be had, until there is one. */
    readonly away = signal(false);
    readonly notices = signal<Notice[]>([]);
    readonly history = signal<HistoryProgress>({ phase: 'waiting', read: 0, of: 0 });
    /** Round-trip time of the last ping, ms. */
    readonly roundTrip = signal<number | null>(null);
    /** What the server calls this connection; null: it has none yet, or no WebSocket. */
    readonly connectionId = signal<string | null>(null);
    /** The event types that this connection is limited to; null: it is not. */
    readonly types = signal<readonly string[] | null>(null);

    #stream: Stream;
    #beginsAnew = true;
    #backfill: Backfill | null = null;
    #changed = { head: false, items: false, story: false, messages: false };
    #refresh = new Refresh(() => this.#publish());
    #noticeCount = 0;

    constructor(id: string) {
        this.id = id;
        this.#stream = client.value.session(id, { state: true });
        this.#stream.on('state', (snapshot) => this.#takeState(snapshot));
        this.#stream.on('event', (event) => this.#take(event as unknown as BuildEvent));
        this.#stream.on('gap', (gap) => this.#takeGap(gap));
        this.#stream.on('connection', (connection) => this.#takeConnection(connection));
        this.#stream.on('message', ({ direction, text, time }) => this.#takeMessage(direction, text, time));
        this.connection.value = this.#stream.connection;
    }

    /** Without following the signal: views look again when they are told that their part has changed. */
    get #shown(): Picture {
        return this.playback.peek()?.picture ?? this.live;
    }

    get state(): SessionState {
        return this.#shown.state;
    }

    get story(): Story {
        return this.#shown.story;
    }

    get transcripts(): Transcripts {
        return this.#shown.transcripts;
    }

    get offset(): number {
        return this.#shown.offset;
    }

    /** The time at the moment that is shown; ms since 1970. */
    get time(): number {
        const { updated } = this.state;
        return this.playback.peek() && updated ? Date.parse(updated) : now.value;
    }

    close(): void {
        this.playBack(false);
        this.#backfill?.stop();
        this.#stream.close();
        this.live.transcripts.dispose();
    }

    // ---- What the reader asks for ----

    reconnect(): void {
        this.#stream.reconnect();
    }

    async ping(): Promise<number> {
        const took = await this.#stream.ping();
        this.roundTrip.value = took;
        return took;
    }

    /** Shows the past, from its beginning on, or the present again. The session goes on behind it. */
    playBack(begin: boolean): void {
        const before = this.playback.peek();
        if (begin === (before !== null) || (begin && this.live.offset === 0)) return;
        this.playback.value = begin ? new Playback(this.id, this.live.offset, () => this.#showAll()) : null;
        before?.close();
        this.#showAll();
    }

    #showAll(): void {
        this.#changed = { head: true, items: true, story: true, messages: this.#changed.messages };
        this.#refresh.soon();
    }

    requestState(): void {
        this.#stream.requestState();
    }

    /** Limits what the server sends; all: no limit any more, and what was missed is made good. */
    limitTo(types: readonly string[] | null): void {
        const limited = this.types.peek() !== null;
        this.types.value = types;
        this.#stream.setTypes(types ? [...types] : undefined);
        if (types === null && limited) {
            this.#beginAnew();
            this.#stream.requestState();
        }
    }

    dismiss(notice: Notice): void {
        this.notices.value = this.notices.value.filter((each) => each.id !== notice.id);
    }

    tell(tone: Notice['tone'], text: string): void {
        const notice = { id: ++this.#noticeCount, tone, text };
        this.notices.value = [...this.notices.value.filter((each) => each.text !== text), notice].slice(-noticesMost);
    }

    /** The errors of the build that goes on, or went last; without its history the state tells whether there are any. */
    get currentErrors(): readonly BuildError[] {
        return this.currentErrorsOf(this.#shown);
    }

    currentErrorsOf({ state, story }: Picture): readonly BuildError[] {
        const isKnown = this.playback.peek() !== null || /^(whole|trimmed)$/.test(this.history.value.phase);
        return isKnown || state.status === 'failed' ? story.currentErrors : [];
    }

    readHistoryAgain(): void {
        this.#startBackfill();
    }

    // ---- What the server says ----

    /** A state that merely was asked for tells nothing new: it is what the events came to. */
    #takeState(snapshot: Snapshot): void {
        if (!this.#beginsAnew) return;
        // Over an event stream the state comes by another way, and may be older than the last events.
        const later = this.recent.after(snapshot.offset);
        if (later) this.#begin(snapshot, later);
        else this.#stream.requestState();
    }

    #begin(snapshot: Snapshot, later: readonly BuildEvent[]): void {
        this.#beginsAnew = false;
        this.live.offset = snapshot.offset;
        this.live.state = SessionState.load(snapshot as unknown as Record<string, unknown>);
        this.live.story = Story.fromState(this.live.state);
        this.recent.clear(snapshot.offset);
        this.live.transcripts.begin(snapshot.terminal_tail, snapshot.offset);
        for (const event of later) this.#take(event);
        this.known.value = true;
        this.#changed = { head: true, items: true, story: true, messages: true };
        this.#refresh.soon();
        this.#startBackfill();
    }

    /** What is shown is no longer what the next events go on from: they wait for a state. */
    #beginAnew(): void {
        this.#beginsAnew = true;
        this.recent.clear(0);
    }

    #startBackfill(): void {
        this.#backfill?.stop();
        this.#backfill = new Backfill(this);
        void this.#backfill.run();
    }

    #take(event: BuildEvent): void {
        if (event.offset === undefined) return; // ephemeral: it is in the messages
        if (this.#beginsAnew) return this.recent.push(event);
        if (event.offset <= this.live.offset) return;
        this.live.offset = event.offset;
        this.live.state.fold(event);
        this.live.story.fold(event, this.live.state);
        this.recent.push(event);
        this.live.transcripts.write(event);
        this.#mark(event.type);
        this.#refresh.soon();
    }

    #mark(type: string): void {
        const changed = this.#changed;
        changed.head = true;
        if (type === 'component_update' || type === 'feature_update') changed.items = true;
        if (type !== 'terminal_output') changed.story = true;
    }

    /** The history has been read up to where the live tail is: it is the better of the two. */
    adopt(state: SessionState | null, story: Story): void {
        if (state) this.live.state = state;
        this.live.story = story;
        this.#showAll();
    }

    #takeGap(gap: Gap): void {
        this.tell('bad', gapText(gap));
        this.#beginAnew();
        // A failed resume is followed by the state; elsewhere it has to be asked for.
        if (!/^(trimmed|epoch_changed|invalid)$/.test(gap.reason) && this.#stream.connection.phase === 'open')
            this.#stream.requestState();
    }

    #takeConnection(connection: Connection): void {
        const before = this.connection.peek();
        this.connection.value = connection;
        if (connection.phase !== 'connecting') this.away.value = connection.phase !== 'open';
        if (connection.phase === 'open' && before.phase !== 'open' && this.history.peek().phase === 'failed')
            this.#startBackfill();
        if (connection.phase !== 'open') this.roundTrip.value = null;
        if (connection.phase === 'closed' && connection.error?.status === 401) wantToken();
    }

    #takeMessage(direction: 'in' | 'out', text: string, time: number): void {
        this.messages.take(direction, text, time);
        if (direction === 'in' && text.startsWith('{"type":"connection"')) {
            learnTime(Date.parse(/"timestamp":"([^"]+)"/.exec(text)?.[1] ?? ''));
            this.connectionId.value = /"connection_id":"([^"]+)"/.exec(text)?.[1] ?? null;
        }
        this.#changed.messages = true;
        this.#refresh.soon();
    }

    #publish(): void {
        const { head, items, story, messages } = this.#changed;
        this.#changed = { head: false, items: false, story: false, messages: false };
        if (head) this.headChanged.value++;
        if (items) this.itemsChanged.value++;
        if (story) this.storyChanged.value++;
        if (messages) this.messagesChanged.value++;
    }
}
