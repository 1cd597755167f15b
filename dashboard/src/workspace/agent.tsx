// What is known of an agent, and a new token for it.
import { useState } from "preact/hooks";

import { agentPath, call } from "../api";
import { accessUrl, isAdmin, owns, useSession } from "../session";
import type { Agent, AgentToken, Workspace } from "../types";
import { agentCommand, Waiting } from "../pages/create_workspace";
import { AgentStatus, DirectBadge } from "../pages/workspaces";
import { Button, Command, Time } from "../ui/basics";
import { Dialog, FormDialog, useSending } from "../ui/dialog";

function RenewToken({ workspace, agent, onClose }: {
    workspace: Workspace; agent: Agent; onClose: () => void;
}) {
    const session = useSession();
    const [made, setMade] = useState<AgentToken | null>(null);
    const sending = useSending();
    const renew = () => void sending.send(async () => {
        const path = agentPath(workspace.owner, workspace.name, agent.name);
        setMade(await call<AgentToken>("POST", `${path}/token`));
    });
    if (!made)
        return (
            <FormDialog title={`New token for ${agent.name}`} action="Replace the token" danger
                sending={sending} onClose={onClose} onSubmit={renew}>
                <p>The old token ends at once: an agent that runs with it is disconnected and
                    cannot come back until it is started with the new one.</p>
            </FormDialog>
        );
    return (
        <Dialog title={`New token for ${agent.name}`} onClose={onClose} wide>
            <div class="dialog-body">
                <p>Run this in the workspace. The token is shown this once.</p>
                <Command text={agentCommand(accessUrl(session), made.token)}
                    label={`command for the agent ${agent.name}`} />
                <Waiting workspace={workspace} agent={agent.name} />
            </div>
            <footer><span class="gap" /><Button look="main" onClick={onClose}>Done</Button></footer>
        </Dialog>
    );
}

// What came to the agent's own port, of people and of others.
function directText({ direct_connections }: Agent): string {
    return direct_connections
        ? `${direct_connections.accepted} accepted, ${direct_connections.refused} refused` : "";
}

export function AgentPanel({ workspace, agent }: { workspace: Workspace; agent: Agent }) {
    const session = useSession();
    const [renewing, setRenewing] = useState(false);
    const facts: [string, preact.ComponentChildren][] = [
        ["Host", agent.hostname],
        ["System", [agent.os, agent.arch].filter(Boolean).join(", ")],
        ["Version", agent.version && `adit ${agent.version}`],
        ["Connected", agent.status === "connected" && <Time at={agent.connected_at} />],
        ["Last seen", agent.status === "away" && <Time at={agent.last_seen_at} />],
        ["Direct connections", directText(agent)],
    ];
    return (
        <section class="card panel" aria-labelledby="agent-title">
            <h2 id="agent-title">Agent {agent.name}</h2>
            <p><AgentStatus agent={agent} /> <DirectBadge agent={agent} /></p>
            <dl class="facts">
                {facts.filter(([, value]) => value).map(([name, value]) => (
                    <div key={name}><dt>{name}</dt><dd>{value}</dd></div>
                ))}
            </dl>
            {(owns(session, workspace.owner) || isAdmin(session)) && (
                <Button icon="refresh" class="small" onClick={() => setRenewing(true)}>
                    New agent token
                </Button>
            )}
            {renewing && <RenewToken workspace={workspace} agent={agent}
                onClose={() => setRenewing(false)} />}
        </section>
    );
}
