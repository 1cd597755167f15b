// One template: its text, who uses it, and its end.
import { useEffect, useState } from "preact/hooks";

import { ApiError, call, get } from "../api";
import { useTopic } from "../live";
import { Link, Title, navigate, useLeaveGuard, useUrl, type Params } from "../router";
import { isAdmin, seesAll, useSession } from "../session";
import type { FieldError, Template, Workspace } from "../types";
import { Button, Problem, Time, notify } from "../ui/basics";
import { Confirm, SendingProblem, useSending } from "../ui/dialog";
import { Editor } from "../ui/editor";
import { Content, useLoaded } from "../ui/load";
import { NotThere } from "../ui/not_there";

const FIRST_TEXT = `description:
max_port_share_level: authenticated
forwarding:
  local: true
  remote: true
  permit_open: ["*:*"]
  permit_listen: ["localhost:*"]
apps: []
`;

// What is typed survives a reload and a crash of the tab.
function useDraft(name: string, saved: string): [string, (text: string) => void, boolean] {
    const key = `adit-draft:${name}`;
    const read = () => {
        try {
            return sessionStorage.getItem(key);
        } catch {
            return null;
        }
    };
    const [text, setText] = useState(() => read() ?? saved);
    const set = (next: string) => {
        setText(next);
        try {
            if (next === saved)
                sessionStorage.removeItem(key);
            else
                sessionStorage.setItem(key, next);
        } catch {
            // Full, or a private window: it lives as long as the page.
        }
    };
    return [text, set, text !== saved];
}

function forget(name: string) {
    try {
        sessionStorage.removeItem(`adit-draft:${name}`);
    } catch {
        // There was none, then.
    }
}

interface WriteProps {
    name: string;
    template: Template | null; // null: it is to be made
    onSaved: (template: Template) => void;
}

function Write({ name, template, onSaved }: WriteProps) {
    const [saved, setSaved] = useState(template?.yaml ?? FIRST_TEXT);
    const [text, setText, dirty] = useDraft(name, saved);
    const [version, setVersion] = useState(template?.version ?? 0);
    const [newer, setNewer] = useState<number | null>(null);
    const [errors, setErrors] = useState<FieldError[]>([]);
    const sending = useSending();
    useLeaveGuard(dirty);
    const save = (over = false) => void sending.send(async (wait) => {
        setErrors([]);
        const path = `/templates/${name}`;
        // Somebody else may have saved meanwhile.
        const now = await get<Template>(path, wait).catch((error: Error) => {
            if (error instanceof ApiError && error.status === 404)
                return null;
            throw error;
        });
        if (now && now.version !== version && !over) {
            setNewer(now.version);
            return;
        }
        const done = await call<Template>("PUT", path, { yaml: text }, wait);
        forget(name);
        setNewer(null);
        setSaved(text);
        setVersion(done.version);
        notify(`Version ${done.version} of ${name} counts now`);
        onSaved(done);
    });
    const fields = sending.error instanceof ApiError ? sending.error.fields : [];
    const first = fields.map(({ field, line, message }) => `${field}${line}${message}`).join();
    useEffect(() => setErrors(fields), [first]);
    return (
        <>
            <Editor label={`Text of the template ${name}`} value={text} errors={errors}
                onChange={setText} />
            <SendingProblem sending={sending} fields={fields.map(({ field }) => field)} />
            {newer && (
                <Problem>
                    Somebody else has saved version {newer} meanwhile. What you typed is kept.{" "}
                    <Button class="small" onClick={() => save(true)}>Save over it</Button>
                </Problem>
            )}
            <div class="editor-actions">
                <Button look="main" busy={sending.busy} onClick={() => save()}
                    disabled={!!template && !dirty}>{template ? "Save" : "Create"}</Button>
                {dirty && template && (
                    <Button onClick={() => {
                        setErrors([]);
                        setText(saved);
                    }}>Undo all changes</Button>
                )}
                <span class="quiet" role="status">
                    {dirty ? "Not saved" : template && `Version ${version}`}
                </span>
            </div>
        </>
    );
}

function UsedBy({ name }: { name: string }) {
    const session = useSession();
    const list = useTopic<{ workspaces: Workspace[] }>("workspaces")?.workspaces ?? [];
    const used = list.filter(({ template }) => template === name);
    return (
        <section class="card panel" aria-labelledby="used-title">
            <h2 id="used-title">Used by</h2>
            {!used.length && (
                <p class="quiet">{seesAll(session) ? "No workspace" : "None of your workspaces"}</p>
            )}
            <ul class="plain-list">
                {used.map(({ id, owner, name: workspace }) => (
                    <li key={id}>
                        <Link href={`/workspaces/${owner}/${workspace}`}>{owner}/{workspace}</Link>
                    </li>
                ))}
            </ul>
        </section>
    );
}

function DeleteTemplate({ name, onClose }: { name: string; onClose: () => void }) {
    return (
        <Confirm title={`Delete ${name}`} name={name} action="Delete the template"
            onClose={onClose} onConfirm={async (wait) => {
                await call("DELETE", `/templates/${name}`, undefined, wait);
                forget(name);
                navigate("/templates", { replace: true, force: true });
                notify(`The template ${name} is deleted`);
            }}>
            <p>A template that workspaces use cannot be deleted.</p>
        </Confirm>
    );
}

function About({ template }: { template: Template }) {
    return (
        <section class="card panel" aria-labelledby="about-title">
            <h2 id="about-title">About</h2>
            <dl class="facts">
                <div><dt>Version</dt><dd>{template.version}</dd></div>
                <div><dt>Changed</dt><dd><Time at={template.updated_at} /></dd></div>
                <div><dt>Made</dt><dd><Time at={template.created_at} /></dd></div>
            </dl>
            <p class="hint">Workspaces have a new version at once: shares, forwards and app
                requests that it forbids end. The keys are told by <code>man adit-template</code>.
            </p>
        </section>
    );
}

export function TemplatePage({ params }: { params: Params }) {
    const { name = "" } = params;
    const session = useSession();
    const fresh = useUrl().searchParams.has("new");
    const loaded = useLoaded<Template | null>(
        (options) => get<Template>(`/templates/${encodeURIComponent(name)}`, options)
            .catch((error: Error) => {
                if (error instanceof ApiError && error.status === 404)
                    return null;
                throw error;
            }), name);
    const [deleting, setDeleting] = useState(false);
    const template = loaded.value;
    if (template === null && !(fresh && isAdmin(session)))
        return <NotThere what="This template" />;
    return (
        <>
            <p class="crumb"><Link href="/templates">Templates</Link></p>
            <div class="page-head">
                <Title text={name} />
                {isAdmin(session) && template && name !== "default" && (
                    <Button icon="trash" class="small" onClick={() => setDeleting(true)}>
                        Delete
                    </Button>
                )}
            </div>
            <Content of={loaded} what="the template">
                {(value) => (
                    <div class="columns">
                        <div class="column-main">
                            {isAdmin(session) ? (
                                <Write name={name} template={value} onSaved={(made) => {
                                    loaded.set(made);
                                    if (fresh)
                                        navigate(`/templates/${name}`,
                                            { replace: true, force: true });
                                }} />
                            ) : (
                                <Editor label={`Text of the template ${name}`} readOnly errors={[]}
                                    value={value?.yaml ?? ""} onChange={() => undefined} />
                            )}
                        </div>
                        <div class="column-side">
                            {value && <About template={value} />}
                            <UsedBy name={name} />
                        </div>
                    </div>
                )}
            </Content>
            {deleting && <DeleteTemplate name={name} onClose={() => setDeleting(false)} />}
        </>
    );
}
