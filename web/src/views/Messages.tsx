import type { Session } from '../store/session.ts';
import { MessageList } from './MessageList.tsx';
import { ProtocolTools } from './ProtocolTools.tsx';

/** Everything that goes over the session's connection, as it is, with buttons that speak the protocol. */
export function Messages({ session }: { session: Session }) {
    return (
        <div class="pane-fill messages">
            <ProtocolTools session={session} />
            <MessageList messages={session.messages} changed={session.messagesChanged} />
        </div>
    );
}
