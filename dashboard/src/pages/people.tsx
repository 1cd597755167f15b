// The users of the server.
import { useState } from "preact/hooks";

import { call, getAll } from "../api";
import { Title } from "../router";
import { ROLE_TEXT, isAdmin, owns, useSession } from "../session";
import type { Role, User } from "../types";
import { Badge, Button, Field, IconButton, Time, notify } from "../ui/basics";
import { Confirm, FormDialog, useSending } from "../ui/dialog";
import { Content, useLoaded } from "../ui/load";
import { NewPassword } from "../ui/password";

const ROLE_HINT: Record<Role, string> = {
    member: "Has workspaces of their own, and sees only those and what is shared.",
    auditor: "Sees everything, changes nothing but what is their own.",
    owner: "Makes users and templates, and may delete what is others’.",
};

function RoleField({ value, onChange }: { value: Role; onChange: (role: Role) => void }) {
    return (
        <Field label="Role" hint={ROLE_HINT[value]}>
            {(a) => (
                <select {...a} value={value}
                    onChange={(e) => onChange(e.currentTarget.value as Role)}>
                    {(["member", "auditor", "owner"] as Role[]).map((role) => (
                        <option key={role} value={role}>{ROLE_TEXT[role]}</option>
                    ))}
                </select>
            )}
        </Field>
    );
}

function UserDialog({ user, onSaved, onClose }: {
    user: User | null; onSaved: () => Promise<void>; onClose: () => void;
}) {
    const session = useSession();
    const [name, setName] = useState("");
    const [displayName, setDisplayName] = useState(user?.display_name ?? "");
    const [email, setEmail] = useState(user?.email ?? "");
    const [role, setRole] = useState<Role>(user?.role ?? "member");
    const [password, setPassword] = useState("");
    const [suspended, setSuspended] = useState(user?.suspended ?? false);
    const sending = useSending();
    const itself = !!user && owns(session, user.name);
    const save = () => void sending.send(async (wait) => {
        const about = { display_name: displayName.trim(), email: email.trim() };
        if (user)
            await call("PATCH", `/users/${user.name}`, {
                ...about, ...(role !== user.role && { role }),
                ...(suspended !== user.suspended && { suspended }), ...(password && { password }),
            }, wait);
        else
            await call("POST", "/users", { name: name.trim(), password, role, ...about });
        await onSaved();
        notify(user ? `${user.name} is changed` : `${name.trim().toLowerCase()} can log in now`);
        onClose();
    });
    return (
        <FormDialog title={user ? `Change ${user.name}` : "New user"} onClose={onClose}
            action={user ? "Save" : "Create"} sending={sending} onSubmit={save}
            fields={["name", "password", "display_name", "email"]}
            disabled={!user && (!name.trim() || !password)}>
            {!user && (
                <Field label="Name" error={sending.field("name")}
                    hint="Small letters, digits and single hyphens; it cannot be changed later">
                    {(a) => <input {...a} value={name} autoFocus autoComplete="off" maxLength={32}
                        autoCapitalize="none" spellcheck={false}
                        onInput={(e) => setName(e.currentTarget.value)} />}
                </Field>
            )}
            <div class="fields">
                <Field label="Full name" error={sending.field("display_name")}>
                    {(a) => <input {...a} value={displayName} autoComplete="off" maxLength={64}
                        onInput={(e) => setDisplayName(e.currentTarget.value)} />}
                </Field>
                <Field label="Email" error={sending.field("email")}>
                    {(a) => <input {...a} type="email" value={email} autoComplete="off"
                        maxLength={254} onInput={(e) => setEmail(e.currentTarget.value)} />}
                </Field>
            </div>
            <RoleField value={role} onChange={setRole} />
            {!itself && (
                <NewPassword label={user ? "New password (empty: stays)" : "Password"}
                    value={password} error={sending.field("password")} onChange={setPassword} />
            )}
            {user && !itself && (
                <label class="check">
                    <input type="checkbox" checked={suspended}
                        onChange={(e) => setSuspended(e.currentTarget.checked)} />
                    <span>Suspended: cannot log in, and all sessions end</span>
                </label>
            )}
        </FormDialog>
    );
}

function UserRow({ user, onEdit, onDelete }: {
    user: User; onEdit: () => void; onDelete: () => void;
}) {
    const session = useSession();
    return (
        <tr>
            <td data-label="Name">
                <span><strong>{user.name}</strong>
                    {owns(session, user.name) && <> <Badge tone="accent">you</Badge></>}
                    {user.suspended && <> <Badge tone="bad">suspended</Badge></>}</span>
            </td>
            <td data-label="Full name" class="wrap">{user.display_name}</td>
            <td data-label="Email" class="wrap">{user.email}</td>
            <td data-label="Role">{ROLE_TEXT[user.role]}</td>
            <td data-label="Last seen" class="nowrap"><Time at={user.last_seen_at} /></td>
            {isAdmin(session) && (
                <td class="row-actions">
                    <Button class="small" onClick={onEdit}>
                        Change<span class="sr-only"> {user.name}</span>
                    </Button>
                    {!owns(session, user.name) && (
                        <IconButton icon="trash" label={`Delete ${user.name}`} onClick={onDelete} />
                    )}
                </td>
            )}
        </tr>
    );
}

export function PeoplePage() {
    const session = useSession();
    const users = useLoaded(() => getAll<User>("/users", "users"), "");
    const [editing, setEditing] = useState<User | "new" | null>(null);
    const [deleting, setDeleting] = useState<User | null>(null);
    return (
        <>
            <div class="page-head">
                <Title text="People" />
                {isAdmin(session) && (
                    <Button look="main" icon="plus" onClick={() => setEditing("new")}>
                        New user
                    </Button>
                )}
            </div>
            <Content of={users} what="users">
                {(list) => (
                    <div class="rows table-scroll">
                        <table class="stack">
                            <thead>
                                <tr>
                                    <th scope="col">Name</th><th scope="col">Full name</th>
                                    <th scope="col">Email</th><th scope="col">Role</th>
                                    <th scope="col">Last seen</th>
                                    {isAdmin(session) && (
                                        <th scope="col"><span class="sr-only">Actions</span></th>
                                    )}
                                </tr>
                            </thead>
                            <tbody>
                                {list.map((user) => (
                                    <UserRow key={user.id} user={user}
                                        onEdit={() => setEditing(user)}
                                        onDelete={() => setDeleting(user)} />
                                ))}
                            </tbody>
                        </table>
                    </div>
                )}
            </Content>
            {editing && (
                <UserDialog user={editing === "new" ? null : editing} onSaved={users.reload}
                    onClose={() => setEditing(null)} />
            )}
            {deleting && (
                <Confirm title={`Delete ${deleting.name}`} name={deleting.name}
                    action="Delete the user" onClose={() => setDeleting(null)}
                    onConfirm={async (wait) => {
                        await call("DELETE", `/users/${deleting.name}`, undefined, wait);
                        await users.reload();
                        notify(`${deleting.name} is deleted`);
                        setDeleting(null);
                    }}>
                    <p>Sessions and tokens end at once. A user who owns workspaces cannot be
                        deleted: delete those first.</p>
                </Confirm>
            )}
        </>
    );
}
