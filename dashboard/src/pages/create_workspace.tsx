// Making a workspace: its name, then the one command to run in it, then waiting for its agent.
import { useEffect, useState } from "preact/hooks";

import { call, getAll } from "../api";
import { useTopic } from "../live";
import { navigate } from "../router";
import { accessUrl, isAdmin, useSession } from "../session";
import type { AgentToken, Template, Workspace } from "../types";
import { Button, Command, Field, announce } from "../ui/basics";
import { Dialog, FormDialog, useSending } from "../ui/dialog";
import { Icon } from "../ui/icons";

interface Created {
    workspace: Workspace;
    tokens: AgentToken[];
}

export function CreateWorkspace({ onClose }: { onClose: () => void }) {
    const [created, setCreated] = useState<Created | null>(null);
    return created ? <Connect created={created} onClose={onClose} />
        : <NameIt onCreated={setCreated} onClose={onClose} />;
}

function NameIt({ onCreated, onClose }: {
    onCreated: (created: Created) => void; onClose: () => void;
}) {
    const session = useSession();
    const [name, setName] = useState("");
    const [template, setTemplate] = useState("default");
    const [owner, setOwner] = useState("");
    const [agents, setAgents] = useState("");
    const [templates, setTemplates] = useState<Template[]>([]);
    const sending = useSending();
    useEffect(() => {
        getAll<Template>("/templates", "templates").then(setTemplates, () => undefined);
    }, []);
    const submit = () => void sending.send(async () => {
        const list = agents.split(/[\s,]+/).filter(Boolean).map((each) => ({ name: each }));
        onCreated(await call<Created>("POST", "/workspaces", {
            name: name.trim(), template,
            ...(owner.trim() && { owner: owner.trim() }),
            ...(list.length && { agents: list }),
        }));
    });
    const description = templates.find((each) => each.name === template)?.policy.description;
    return (
        <FormDialog title="New workspace" action="Create" sending={sending} onClose={onClose}
            fields={["name", "template", "owner"]} disabled={!name.trim()} onSubmit={submit}>
            <Field label="Name" error={sending.field("name")}
                hint="Small letters, digits and single hyphens, such as dev or gpu-2">
                {(a) => <input {...a} value={name} autoComplete="off" autoCapitalize="none"
                    spellcheck={false} maxLength={32} autoFocus
                    onInput={(e) => setName(e.currentTarget.value)} />}
            </Field>
            <Field label="Template" error={sending.field("template")}
                hint={description || "What it may forward and share, and which apps it has"}>
                {(a) => (
                    <select {...a} value={template}
                        onChange={(e) => setTemplate(e.currentTarget.value)}>
                        {templates.length ? templates.map((each) => (
                            <option key={each.id} value={each.name}>{each.name}</option>
                        )) : <option value="default">default</option>}
                    </select>
                )}
            </Field>
            <details class="more">
                <summary>More</summary>
                <Field label="Agents"
                    hint="For a workspace of several machines: a name for each, such as login, gpu">
                    {(a) => <input {...a} value={agents} placeholder="main" autoComplete="off"
                        autoCapitalize="none" spellcheck={false}
                        onInput={(e) => setAgents(e.currentTarget.value)} />}
                </Field>
                {isAdmin(session) && (
                    <Field label="Owner" error={sending.field("owner")}>
                        {(a) => <input {...a} value={owner} placeholder={session.me.user.name}
                            autoComplete="off" autoCapitalize="none" spellcheck={false}
                            onInput={(e) => setOwner(e.currentTarget.value)} />}
                    </Field>
                )}
            </details>
        </FormDialog>
    );
}

export function agentCommand(url: string, token: string): string {
    return `ADIT_AGENT_TOKEN=${token} adit agent --url ${url}`;
}

// Green as soon as the agent is there.
export function Waiting({ workspace, agent }: { workspace: Workspace; agent: string }) {
    const list = useTopic<{ workspaces: Workspace[] }>("workspaces")?.workspaces;
    const found = list?.find(({ id }) => id === workspace.id);
    const here = found?.agents.find(({ name }) => name === agent)?.status === "connected";
    useEffect(() => {
        if (here)
            announce(`The agent ${agent} is connected`);
    }, [here]);
    return here ? (
        <p class="waiting-line here"><Icon name="check" />Connected</p>
    ) : (
        <p class="waiting-line">
            <span class="spinner" aria-hidden="true" />Waiting for the agent {agent} …
        </p>
    );
}

function Connect({ created, onClose }: { created: Created; onClose: () => void }) {
    const session = useSession();
    const { workspace, tokens } = created;
    return (
        <Dialog title={`Connect ${workspace.name}`} onClose={onClose} wide>
            <div class="dialog-body">
                <p>Run this in the workspace, where the <code>adit</code> program is. It needs no
                    open port and no root.</p>
                {tokens.map(({ agent, token }) => (
                    <section key={agent} class="connect">
                        {tokens.length > 1 && <h3>{agent}</h3>}
                        <Command text={agentCommand(accessUrl(session), token)}
                            label={`command for the agent ${agent}`} />
                        <Waiting workspace={workspace} agent={agent} />
                    </section>
                ))}
                <p class="hint">The token in it is shown this once. You can replace it later on the
                    workspace’s page.</p>
            </div>
            <footer>
                <span class="gap" />
                <Button onClick={onClose}>Close</Button>
                <Button look="main" onClick={() => {
                    onClose();
                    navigate(`/workspaces/${workspace.owner}/${workspace.name}`);
                }}>Open the workspace</Button>
            </footer>
        </Dialog>
    );
}
