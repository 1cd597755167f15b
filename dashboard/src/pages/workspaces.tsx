// The list of workspaces, and how one is made.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { useTopic } from "../live";
import { Link, Title } from "../router";
import { seesAll, useSession } from "../session";
import type { Agent, Workspace } from "../types";
import { Badge, Button, Empty, Loading, Status, Time, announce, type Tone } from "../ui/basics";
import { Icon } from "../ui/icons";
import { CreateWorkspace } from "./create_workspace";
import { SharedSection } from "./shared";

export const STATUS: Record<Agent["status"], { tone: Tone; text: string }> = {
    connected: { tone: "good", text: "Connected" },
    away: { tone: "warn", text: "Away" },
    never: { tone: "idle", text: "Not connected yet" },
};

export function AgentStatus({ agent, named }: { agent: Agent; named?: boolean }) {
    const { tone, text } = STATUS[agent.status];
    return (
        <Status tone={tone}>
            {named && <strong>{agent.name}</strong>} {text}
            {agent.status === "away" && <> <Time at={agent.last_seen_at} since /></>}
        </Status>
    );
}

export function DirectBadge({ agent }: { agent: Agent }) {
    if (!agent.direct || agent.status !== "connected")
        return null;
    return (
        <Badge tone="accent" title="The agent can be reached without the detour over the server">
            <Icon name="bolt" />direct
        </Badge>
    );
}

function Row({ workspace, withOwner }: { workspace: Workspace; withOwner: boolean }) {
    const { owner, name, agents, template } = workspace;
    return (
        <li class="row workspace-row">
            <div class="workspace-name">
                <Link class="row-link" href={`/workspaces/${owner}/${name}`}>{name}</Link>
                {withOwner && <span class="quiet">{owner}</span>}
            </div>
            <div class="workspace-agents">
                {agents.map((agent) => (
                    <div key={agent.id}>
                        <AgentStatus agent={agent} named={agents.length > 1} />
                        <DirectBadge agent={agent} />
                    </div>
                ))}
                {!agents.length && <span class="quiet">no agents</span>}
            </div>
            <div class="workspace-host quiet">{agents[0]?.hostname}</div>
            <div class="workspace-version quiet">
                {agents[0]?.version && `adit ${agents[0].version}`}
            </div>
            <div class="workspace-template"><Badge title="Template">{template}</Badge></div>
        </li>
    );
}

function matches(workspace: Workspace, words: string[]): boolean {
    const text = [workspace.name, workspace.owner, `${workspace.owner}/${workspace.name}`,
        workspace.template, ...workspace.agents.flatMap((agent) =>
            [agent.name, agent.hostname ?? "", STATUS[agent.status].text])].join("\n");
    return words.every((word) => text.toLowerCase().includes(word));
}

// Tells screen readers which workspaces have come and gone.
function useAnnouncedChanges(list: Workspace[] | undefined) {
    const before = useRef<Map<string, string> | null>(null);
    useEffect(() => {
        if (!list)
            return;
        const now = new Map(list.map((workspace) => [`${workspace.owner}/${workspace.name}`,
            workspace.agents.map((agent) => STATUS[agent.status].text).join(", ")]));
        const said: string[] = [];
        if (before.current) {
            for (const [name, state] of now)
                if (before.current.has(name) && before.current.get(name) !== state)
                    said.push(`${name}: ${state}`);
            for (const name of before.current.keys())
                if (!now.has(name))
                    said.push(`${name} is gone`);
        }
        before.current = now;
        if (said.length)
            announce(said.join(". "));
    }, [list]);
}

export function WorkspacesPage() {
    const session = useSession();
    const list = useTopic<{ workspaces: Workspace[] }>("workspaces")?.workspaces;
    const [search, setSearch] = useState("");
    const [creating, setCreating] = useState(false);
    const mine = session.me.user.name;
    const withOwner = seesAll(session) || !!list?.some(({ owner }) => owner !== mine);
    const shown = useMemo(() => {
        const words = search.toLowerCase().split(/\s+/).filter(Boolean);
        return list?.filter((workspace) => matches(workspace, words)) ?? [];
    }, [list, search]);
    useAnnouncedChanges(list);
    return (
        <>
            <div class="page-head">
                <Title text="Workspaces" />
                <Button look="main" icon="plus" onClick={() => setCreating(true)}>
                    New workspace
                </Button>
            </div>
            {list && list.length > 0 && (
                <div class="toolbar">
                    <div class="search">
                        <Icon name="search" />
                        <input type="search" aria-label="Search workspaces" value={search}
                            placeholder="Name, owner, template, state"
                            onInput={(e) => setSearch(e.currentTarget.value)} />
                    </div>
                    <span class="quiet" role="status">
                        {search ? `${shown.length} of ${list.length}` : `${list.length} in all`}
                    </span>
                </div>
            )}
            {!list ? <Loading what="Loading workspaces …" />
                : !list.length ? <FirstWorkspace onCreate={() => setCreating(true)} />
                    : !shown.length ? <Empty title="No workspace matches">
                        <Button onClick={() => setSearch("")}>Show all</Button></Empty>
                        : (
                            <ul class="rows" aria-label="Workspaces">
                                {shown.map((workspace) => (
                                    <Row key={workspace.id} workspace={workspace}
                                        withOwner={withOwner} />
                                ))}
                            </ul>
                        )}
            <SharedSection />
            {creating && <CreateWorkspace onClose={() => setCreating(false)} />}
        </>
    );
}

function FirstWorkspace({ onCreate }: { onCreate: () => void }) {
    return (
        <Empty title="No workspace yet">
            <p>A workspace is a remote place whose ports you want here: a machine, a container, a
                batch job. You name it, and run one command in it.</p>
            <Button look="main" icon="plus" onClick={onCreate}>Make the first one</Button>
        </Empty>
    );
}
