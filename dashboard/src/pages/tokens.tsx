// One's own API tokens, and the places where one is logged in.
import { useState } from "preact/hooks";

import { call, getAll } from "../api";
import { useTopic } from "../live";
import { Title } from "../router";
import { useSession } from "../session";
import type { Token, Workspace } from "../types";
import { Badge, Button, Command, Field, IconButton, Time, notify } from "../ui/basics";
import { Confirm, Dialog, FormDialog, useSending } from "../ui/dialog";
import { Content, useLoaded } from "../ui/load";

const DAY = 86_400;
const EXPIRIES: [number, string][] = [
    [DAY, "in a day"], [7 * DAY, "in a week"], [30 * DAY, "in 30 days"], [90 * DAY, "in 90 days"],
    [365 * DAY, "in a year"], [0, "never"],
];

function scopeText(scope: string): string {
    return scope === "all" ? "Everything I may do"
        : scope === "application-connect" ? "Opening apps and ports"
            : scope.replace(/^workspace:/, "Workspace ");
}

function CreateToken({ onMade, onClose }: {
    onMade: (token: string) => Promise<void>; onClose: () => void;
}) {
    const session = useSession();
    const list = useTopic<{ workspaces: Workspace[] }>("workspaces")?.workspaces ?? [];
    const mine = list.filter(({ owner }) => owner === session.me.user.name);
    const [name, setName] = useState("");
    const [scope, setScope] = useState("all");
    const [expiry, setExpiry] = useState(30 * DAY);
    const sending = useSending();
    const save = () => void sending.send(async () => {
        const made = await call<{ token: string }>("POST", "/tokens",
            { name: name.trim(), scope, ...(expiry && { expires_in: expiry }) });
        await onMade(made.token);
    });
    return (
        <FormDialog title="New token" action="Create" sending={sending} onClose={onClose}
            onSubmit={save} fields={["name", "scope", "expires_in"]} disabled={!name.trim()}>
            <Field label="Name" error={sending.field("name")} hint="What it is for">
                {(a) => <input {...a} value={name} autoFocus autoComplete="off" maxLength={64}
                    onInput={(e) => setName(e.currentTarget.value)} />}
            </Field>
            <Field label="It is good for" error={sending.field("scope")}>
                {(a) => (
                    <select {...a} value={scope} onChange={(e) => setScope(e.currentTarget.value)}>
                        {["all", "application-connect"].map((each) => (
                            <option key={each} value={each}>{scopeText(each)}</option>
                        ))}
                        {mine.map((each) => {
                            const value = `workspace:${each.owner}/${each.name}`;
                            return <option key={value} value={value}>{scopeText(value)}</option>;
                        })}
                    </select>
                )}
            </Field>
            <Field label="It ends" error={sending.field("expires_in")}>
                {(a) => (
                    <select {...a} value={expiry}
                        onChange={(e) => setExpiry(Number(e.currentTarget.value))}>
                        {EXPIRIES.map(([seconds, text]) => (
                            <option key={seconds} value={seconds}>{text}</option>
                        ))}
                    </select>
                )}
            </Field>
        </FormDialog>
    );
}

function TokenTable({ tokens, onDelete }: { tokens: Token[]; onDelete: (token: Token) => void }) {
    const { me } = useSession();
    return (
        <div class="rows table-scroll">
            <table class="stack">
                <thead>
                    <tr>
                        <th scope="col">Name</th><th scope="col">Good for</th>
                        <th scope="col">Made</th><th scope="col">Last used</th>
                        <th scope="col">Ends</th>
                        <th scope="col"><span class="sr-only">Actions</span></th>
                    </tr>
                </thead>
                <tbody>
                    {tokens.map((token) => (
                        <tr key={token.id}>
                            <td data-label="Name" class="wrap">
                                <span><strong>{token.name || token.kind}</strong>
                                    {token.id === me.token.id &&
                                        <> <Badge tone="accent">this browser</Badge></>}</span>
                            </td>
                            <td data-label="Good for" class="wrap">{scopeText(token.scope)}</td>
                            <td data-label="Made" class="nowrap"><Time at={token.created_at} /></td>
                            <td data-label="Last used" class="nowrap">
                                <Time at={token.last_used_at} />
                            </td>
                            <td data-label="Ends" class="nowrap"><Time at={token.expires_at} /></td>
                            <td class="row-actions">
                                {token.id !== me.token.id && (
                                    <IconButton icon="trash" onClick={() => onDelete(token)}
                                        label={`Delete ${token.name || token.kind}`} />
                                )}
                            </td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

export function TokensPage() {
    const tokens = useLoaded(() => getAll<Token>("/tokens", "tokens"), "");
    const [creating, setCreating] = useState(false);
    const [made, setMade] = useState("");
    const [deleting, setDeleting] = useState<Token | null>(null);
    return (
        <>
            <div class="page-head">
                <Title text="Tokens" />
                <Button look="main" icon="plus" onClick={() => setCreating(true)}>New token</Button>
            </div>
            <p class="lead">For programs and scripts that act in your name: they pass a token
                as <code>ADIT_TOKEN</code>, or as <code>Authorization: Bearer</code> to the API.</p>
            <Content of={tokens} what="tokens">
                {(list) => <>
                    {list.some(({ kind }) => kind === "api")
                        ? <TokenTable tokens={list.filter(({ kind }) => kind === "api")}
                            onDelete={setDeleting} />
                        : <div class="empty slim"><p class="empty-title">No token yet</p></div>}
                    <section class="section" aria-labelledby="sessions-title">
                        <div class="section-head">
                            <h2 id="sessions-title">Where you are logged in</h2>
                        </div>
                        <TokenTable tokens={list.filter(({ kind }) => kind !== "api")}
                            onDelete={setDeleting} />
                    </section>
                </>}
            </Content>
            {creating && (
                <CreateToken onClose={() => setCreating(false)} onMade={async (token) => {
                    setMade(token);
                    setCreating(false);
                    await tokens.reload();
                }} />
            )}
            {made && (
                <Dialog title="Your new token" onClose={() => setMade("")}>
                    <div class="dialog-body">
                        <p>It is shown this once: copy it now.</p>
                        <Command text={made} label="new token" />
                        <p class="hint">Whoever has it can act in your name, as far as it
                            goes.</p>
                    </div>
                    <footer>
                        <span class="gap" />
                        <Button look="main" onClick={() => setMade("")}>Done</Button>
                    </footer>
                </Dialog>
            )}
            {deleting && (
                <Confirm title={`Delete ${deleting.name || deleting.kind}`} name=""
                    action={deleting.kind === "api" ? "Delete the token" : "Log out there"}
                    onClose={() => setDeleting(null)}
                    onConfirm={async (wait) => {
                        await call("DELETE", `/tokens/${deleting.id}`, undefined, wait);
                        await tokens.reload();
                        notify(`${deleting.name || deleting.kind} has ended`);
                        setDeleting(null);
                    }}>
                    <p>What uses it is cut off at once, with all that is open.</p>
                </Confirm>
            )}
        </>
    );
}
