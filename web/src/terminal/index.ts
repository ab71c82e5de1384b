/*
 * The terminal of a session: `Transcript` takes what was written, `TerminalView` shows it.
 *
 *     const transcript = new Transcript();
 *     transcript.write(data.output, { offset, stream: data.output_type, time: timestamp });
 *     <TerminalView transcript={transcript} selected={selected} onSelect={setSelected} name="session-42" />
 *
 * Light or dark is decided by `color-scheme` of whatever is around the view.
 */
export { Transcript } from './transcript.ts';
export type {
    EventMeta, Line, OutputMeta, RunFinished, RunStarted, Screen, TranscriptOptions, TranscriptState,
} from './transcript.ts';
export { TerminalView, terminalKeys } from './view.tsx';
export type { TerminalViewProps } from './view.tsx';
