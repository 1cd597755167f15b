// One's own name, address and password.
import { useState } from "preact/hooks";

import { ApiError, call } from "../api";
import { Link, Title } from "../router";
import { ROLE_TEXT, useSession } from "../session";
import { Button, Field, notify } from "../ui/basics";
import { SendingProblem, useSending } from "../ui/dialog";

function Profile() {
    const { user } = useSession().me;
    const [displayName, setDisplayName] = useState(user.display_name ?? "");
    const [email, setEmail] = useState(user.email ?? "");
    const sending = useSending();
    const save = (event: Event) => {
        event.preventDefault();
        void sending.send(async (wait) => {
            await call("PATCH", `/users/${user.name}`,
                { display_name: displayName.trim(), email: email.trim() }, wait);
            user.display_name = displayName.trim();
            user.email = email.trim();
            notify("Your profile is saved");
        });
    };
    return (
        <form class="card panel" onSubmit={save} noValidate>
            <h2>Profile</h2>
            <dl class="facts">
                <div><dt>Name</dt><dd>{user.name}</dd></div>
                <div><dt>Role</dt><dd>{ROLE_TEXT[user.role]}</dd></div>
            </dl>
            <Field label="Full name" error={sending.field("display_name")}>
                {(a) => <input {...a} value={displayName} autoComplete="name" maxLength={64}
                    onInput={(e) => setDisplayName(e.currentTarget.value)} />}
            </Field>
            <Field label="Email" error={sending.field("email")}>
                {(a) => <input {...a} type="email" value={email} autoComplete="email"
                    maxLength={254} onInput={(e) => setEmail(e.currentTarget.value)} />}
            </Field>
            <SendingProblem sending={sending} fields={["display_name", "email"]} />
            <Button type="submit" look="main" busy={sending.busy}>Save</Button>
        </form>
    );
}

function Password() {
    const { user } = useSession().me;
    const [old, setOld] = useState("");
    const [fresh, setFresh] = useState("");
    const [again, setAgain] = useState("");
    const [asked, setAsked] = useState(false);
    const sending = useSending();
    const differs = asked && fresh !== again ? "The two passwords are not the same." : undefined;
    const wrong = sending.error instanceof ApiError && sending.error.status === 401
        ? "This is not your password." : undefined;
    const save = (event: Event) => {
        event.preventDefault();
        setAsked(true);
        if (fresh !== again)
            return;
        void sending.send(async () => {
            // Never sent again by itself: the second time, the old password would be the new one.
            await call("PUT", "/me/password", { old_password: old, new_password: fresh },
                { signal: AbortSignal.abort() });
            setOld("");
            setFresh("");
            setAgain("");
            setAsked(false);
            notify("Your password is changed; all your other sessions have ended");
        });
    };
    return (
        <form class="card panel" onSubmit={save} noValidate>
            <h2>Password</h2>
            <input class="sr-only" type="text" name="username" autoComplete="username" readOnly
                value={user.name} tabIndex={-1} aria-hidden="true" />
            <Field label="Password now" error={sending.field("old_password") ?? wrong}>
                {(a) => <input {...a} type="password" value={old} autoComplete="current-password"
                    maxLength={128} onInput={(e) => setOld(e.currentTarget.value)} />}
            </Field>
            <Field label="New password" hint="at least 8 characters"
                error={sending.field("new_password")}>
                {(a) => <input {...a} type="password" value={fresh} autoComplete="new-password"
                    maxLength={128} onInput={(e) => setFresh(e.currentTarget.value)} />}
            </Field>
            <Field label="New password again" error={differs}>
                {(a) => <input {...a} type="password" value={again} autoComplete="new-password"
                    maxLength={128} onInput={(e) => setAgain(e.currentTarget.value)} />}
            </Field>
            {!wrong && <SendingProblem sending={sending}
                fields={["old_password", "new_password"]} />}
            <Button type="submit" look="main" busy={sending.busy}
                disabled={!old || !fresh}>Change the password</Button>
            <p class="hint">All your other sessions end.</p>
        </form>
    );
}

export function AccountPage() {
    return (
        <>
            <div class="page-head"><Title text="Your account" /></div>
            <div class="cards"><Profile /><Password /></div>
            <p class="section">Sessions and API tokens are under{" "}
                <Link href="/tokens">Tokens</Link>.</p>
        </>
    );
}
