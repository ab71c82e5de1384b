// Publish events to a Fanfare server.
export * from './broadcaster.js';
export {
    AccessDenied, ConfigurationError, EventRefused, FanfareError, PublisherClosed, SpoolFull,
} from './errors.js';
export type { BuiltEvent, ChangeType, Data, OutputType, Status } from './events.js';
export {
    getBroadcaster, PlatformBroadcaster,
    type AgentStatus, type Analysis, type Issue, type ProjectDeleted, type ProjectUpdated, type PullRequest,
    type Suggestion, type Workflow,
} from './platform.js';
export {
    Publisher,
    type Policy, type Problem, type Published, type PublisherOptions, type PublishOptions, type Stats,
} from './publisher.js';
export type { Receipt } from './spool.js';
