// One workspace: its apps, its ports as they come and go, who forwards what, and how to get there.
import { useEffect, useState } from "preact/hooks";

import { call, get, workspacePath } from "../api";
import { useTopic } from "../live";
import { Link, Title, navigate, useUrl, type Params } from "../router";
import { isAdmin, owns, useSession } from "../session";
import type {
    Agent, Apps, Forwards, Policy, Ports, Shares, Template, Workspace,
} from "../types";
import { Badge, Button, Empty, Loading, Status, notify } from "../ui/basics";
import { Confirm } from "../ui/dialog";
import { AgentPanel } from "../workspace/agent";
import { AppsSection } from "../workspace/apps";
import { Commands } from "../workspace/commands";
import { ForwardsSection } from "../workspace/forwards";
import { PortsSection } from "../workspace/ports";
import { NotThere } from "../ui/not_there";
import { STATUS } from "./workspaces";

// The template's policy: what may be shared and forwarded. Asked for again when it has changed.
function usePolicy(name: string | undefined, max: string | undefined): Policy | undefined {
    const [policy, setPolicy] = useState<Policy>();
    useEffect(() => {
        let wanted = true;
        if (name)
            get<Template>(`/templates/${encodeURIComponent(name)}`).then(
                (template) => wanted && setPolicy(template.policy), () => undefined);
        return () => {
            wanted = false;
        };
    }, [name, max]);
    return policy;
}

function DeleteWorkspace({ workspace, onClose }: { workspace: Workspace; onClose: () => void }) {
    const { owner, name } = workspace;
    return (
        <Confirm title={`Delete ${name}`} name={name} action="Delete the workspace"
            onClose={onClose} onConfirm={async (wait) => {
                await call("DELETE", workspacePath(owner, name), undefined, wait);
                navigate("/", { replace: true });
                notify(`The workspace ${name} is deleted`);
            }}>
            <p>Its agents are disconnected, their tokens and all its shares end. What is on the
                machine itself stays as it is.</p>
        </Confirm>
    );
}

function AgentView({ workspace, agent }: { workspace: Workspace; agent: Agent }) {
    const ref = `${workspace.owner}/${workspace.name}`;
    const ports = useTopic<Ports>("ports", ref, agent.name);
    const apps = useTopic<Apps>("apps", ref, agent.name);
    const shares = useTopic<Shares>("shares", ref, agent.name);
    const forwards = useTopic<Forwards>("forwards", ref, agent.name);
    const { template } = workspace;
    const policy = usePolicy(template, shares?.max_level);
    const place = { owner: workspace.owner, workspace: workspace.name, agent: agent.name };
    return (
        <div class="columns">
            <div class="column-main">
                <AppsSection apps={apps} place={place} policy={policy} template={template} />
                <PortsSection ports={ports} shares={shares} place={place} template={template}
                    here={agent.status === "connected"} />
                <ForwardsSection forwards={forwards} />
            </div>
            <div class="column-side">
                <AgentPanel workspace={workspace} agent={agent} />
                <Commands place={place} ports={ports} policy={policy} template={template} />
            </div>
        </div>
    );
}

function AgentTabs({ workspace, current }: { workspace: Workspace; current: Agent }) {
    if (workspace.agents.length < 2)
        return null;
    return (
        <nav class="tabs" aria-label="Agents">
            {workspace.agents.map((agent) => (
                <Link key={agent.id} href={`?agent=${agent.name}`}
                    aria-current={agent === current ? "true" : undefined}>
                    <Status tone={STATUS[agent.status].tone}>
                        {agent.name}
                        <span class="sr-only">, {STATUS[agent.status].text}</span>
                    </Status>
                </Link>
            ))}
        </nav>
    );
}

export function WorkspacePage({ params }: { params: Params }) {
    const { owner = "", name = "" } = params;
    const session = useSession();
    const url = useUrl();
    const state = useTopic<Workspace & { deleted?: boolean }>("workspace", `${owner}/${name}`);
    const [deleting, setDeleting] = useState(false);
    if (state?.deleted)
        return <NotThere what="This workspace" />;
    const wanted = url.searchParams.get("agent");
    const agent = state?.agents.find((each) => each.name === wanted) ??
        state?.agents.find((each) => each.name === "main") ?? state?.agents[0];
    const mayDelete = owns(session, owner) || isAdmin(session);
    return (
        <>
            <p class="crumb"><Link href="/">Workspaces</Link></p>
            <div class="page-head">
                <Title text={name}>
                    {!owns(session, owner) && <span class="quiet">{owner}/</span>}{name}
                </Title>
                <div class="actions">
                    {state && <Link class="badge" href={`/templates/${state.template}`}
                        title="Template">{state.template}</Link>}
                    {!owns(session, owner) && <Badge>owner: {owner}</Badge>}
                    {mayDelete && state && (
                        <Button icon="trash" class="small" onClick={() => setDeleting(true)}>
                            Delete
                        </Button>
                    )}
                </div>
            </div>
            {!state ? <Loading what="Loading the workspace …" /> : !agent ? (
                <Empty title="This workspace has no agent" />
            ) : <>
                <AgentTabs workspace={state} current={agent} />
                <AgentView key={agent.id} workspace={state} agent={agent} />
            </>}
            {deleting && state && (
                <DeleteWorkspace workspace={state} onClose={() => setDeleting(false)} />
            )}
        </>
    );
}
