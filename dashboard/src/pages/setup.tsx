// The first user of a new deployment.
import { useState } from "preact/hooks";

import { call } from "../api";
import { Title } from "../router";
import { Button, Field } from "../ui/basics";
import { SendingProblem, useSending } from "../ui/dialog";
import { Logo } from "../ui/icons";

export function SetupPage() {
    const [name, setName] = useState("");
    const [password, setPassword] = useState("");
    const [again, setAgain] = useState("");
    const [asked, setAsked] = useState(false);
    const sending = useSending();
    const differs = asked && password !== again ? "The two passwords are not the same." : undefined;
    const submit = (event: Event) => {
        event.preventDefault();
        setAsked(true);
        if (password !== again)
            return;
        void sending.send(async () => {
            await call("POST", "/setup", { name: name.trim(), password, label: "browser" });
            location.replace("/");
        });
    };
    return (
        <main class="alone">
            <div class="card">
                <div class="alone-brand"><Logo />adit</div>
                <Title text="Welcome" />
                <p>This server is new. Its first user is an administrator, who makes all others.</p>
                <form onSubmit={submit} noValidate>
                    <Field label="Name" error={sending.field("name")}
                        hint="1 to 32 small letters, digits and single hyphens">
                        {(a) => <input {...a} value={name} autoComplete="username" autoFocus
                            autoCapitalize="none" spellcheck={false} required maxLength={32}
                            onInput={(e) => setName(e.currentTarget.value)} />}
                    </Field>
                    <Field label="Password" hint="at least 8 characters"
                        error={sending.field("password")}>
                        {(a) => <input {...a} type="password" value={password} required
                            autoComplete="new-password" maxLength={128}
                            onInput={(e) => setPassword(e.currentTarget.value)} />}
                    </Field>
                    <Field label="Password again" error={differs}>
                        {(a) => <input {...a} type="password" value={again} required
                            autoComplete="new-password" maxLength={128}
                            onInput={(e) => setAgain(e.currentTarget.value)} />}
                    </Field>
                    <SendingProblem sending={sending} fields={["name", "password"]} />
                    <Button type="submit" look="main" busy={sending.busy}
                        disabled={!name.trim() || !password}>Make the first user</Button>
                </form>
            </div>
        </main>
    );
}
