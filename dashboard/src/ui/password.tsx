// A new password: typed, or made by the browser and shown once.
import { useState } from "preact/hooks";

import { Button, CopyButton, Field } from "./basics";

const LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

function makePassword(): string {
    const random = crypto.getRandomValues(new Uint32Array(20));
    return [...random].map((n) => LETTERS[n % LETTERS.length]).join("");
}

export function NewPassword({ label, value, error, onChange }: {
    label: string; value: string; error?: string; onChange: (value: string) => void;
}) {
    const [shown, setShown] = useState(false);
    const more = {
        value, maxLength: 128, autoComplete: "new-password" as const, spellcheck: false,
        onInput: (event: { currentTarget: HTMLInputElement }) =>
            onChange(event.currentTarget.value),
    };
    return (
        <Field label={label} error={error} hint="at least 8 characters">
            {(a) => (
                <div class="with-button">
                    {shown ? <input {...a} {...more} type="text" class="mono" />
                        : <input {...a} {...more} type="password" />}
                    {shown && value && <CopyButton text={value} label="Copy the password" />}
                    <Button onClick={() => {
                        onChange(makePassword());
                        setShown(true);
                    }}>Make one</Button>
                </div>
            )}
        </Field>
    );
}
