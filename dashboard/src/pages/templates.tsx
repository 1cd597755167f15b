// Templates: what workspaces may do, and which apps they bring.
import { useState } from "preact/hooks";

import { getAll } from "../api";
import { useTopic } from "../live";
import { Link, Title, navigate } from "../router";
import { isAdmin, seesAll, useSession } from "../session";
import type { Template, Workspace } from "../types";
import { Badge, Button, Field, Time } from "../ui/basics";
import { FormDialog, useSending } from "../ui/dialog";
import { Content, useLoaded } from "../ui/load";

const LEVEL_TEXT = {
    owner: "ports: owner only", users: "ports: named people", authenticated: "ports: all users",
    public: "ports: public",
};

function NewTemplate({ taken, onClose }: { taken: string[]; onClose: () => void }) {
    const [name, setName] = useState("");
    const sending = useSending();
    const folded = name.trim().toLowerCase();
    const problem = !folded ? undefined
        : !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(folded) ? "Letters, digits and single hyphens only."
            : taken.includes(folded) ? "There is one of this name." : undefined;
    return (
        <FormDialog title="New template" action="Write it" sending={sending} onClose={onClose}
            disabled={!folded || !!problem}
            onSubmit={() => navigate(`/templates/${folded}?new`)}>
            <Field label="Name" error={problem}>
                {(a) => <input {...a} value={name} autoFocus autoComplete="off" maxLength={32}
                    autoCapitalize="none" spellcheck={false}
                    onInput={(e) => setName(e.currentTarget.value)} />}
            </Field>
        </FormDialog>
    );
}

export function TemplatesPage() {
    const session = useSession();
    const list = useTopic<{ workspaces: Workspace[] }>("workspaces")?.workspaces ?? [];
    const templates = useLoaded(() => getAll<Template>("/templates", "templates"), "");
    const [creating, setCreating] = useState(false);
    const used = (name: string) => list.filter(({ template }) => template === name).length;
    return (
        <>
            <div class="page-head">
                <Title text="Templates" />
                {isAdmin(session) && (
                    <Button look="main" icon="plus" onClick={() => setCreating(true)}>
                        New template
                    </Button>
                )}
            </div>
            <Content of={templates} what="templates">
                {(all) => (
                    <ul class="rows">
                        {all.map(({ id, name, policy, version, updated_at }) => (
                            <li key={id} class="row template-row">
                                <div>
                                    <Link class="row-link" href={`/templates/${name}`}>{name}</Link>
                                    <p class="hint">{policy.description}</p>
                                </div>
                                <div class="badges">
                                    <Badge>{LEVEL_TEXT[policy.max_port_share_level]}</Badge>
                                    {policy.apps.length > 0 && (
                                        <Badge>{policy.apps.length === 1 ? "1 app"
                                            : `${policy.apps.length} apps`}</Badge>
                                    )}
                                    {!policy.forwarding.local && <Badge tone="warn">no forwards
                                        into it</Badge>}
                                    {!policy.forwarding.remote && <Badge tone="warn">no forwards
                                        out of it</Badge>}
                                </div>
                                <div class="quiet template-use">
                                    {used(name)} {used(name) === 1 ? "workspace" : "workspaces"}
                                    {!seesAll(session) && " of yours"}
                                    <br />version {version}, <Time at={updated_at} />
                                </div>
                            </li>
                        ))}
                    </ul>
                )}
            </Content>
            {creating && (
                <NewTemplate taken={(templates.value ?? []).map(({ name }) => name)}
                    onClose={() => setCreating(false)} />
            )}
        </>
    );
}
