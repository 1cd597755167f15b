// A text with line numbers, and what is wrong with it at the lines where it is.
import { useEffect, useId, useRef } from "preact/hooks";

import type { FieldError } from "../types";
import { Icon } from "./icons";

interface EditorProps {
    label: string;
    value: string;
    errors: FieldError[];
    readOnly?: boolean;
    onChange: (value: string) => void;
}

// Tab indents by two spaces, Enter keeps the indentation. Through the browser's own editing
// command, so that undo goes on to work.
function onKeyDown(event: KeyboardEvent, leaving: { current: boolean }) {
    const area = event.currentTarget as HTMLTextAreaElement;
    const before = area.value.slice(0, area.selectionStart);
    if (event.key === "Escape") {
        leaving.current = true;
        return;
    }
    if (event.key === "Tab" && !leaving.current && !event.shiftKey && !area.readOnly) {
        event.preventDefault();
        const column = before.length - before.lastIndexOf("\n") - 1;
        document.execCommand("insertText", false, " ".repeat(2 - column % 2));
    } else if (event.key === "Enter" && !area.readOnly && !event.ctrlKey && !event.metaKey) {
        const line = before.slice(before.lastIndexOf("\n") + 1);
        const indent = line.match(/^ *(- )?/)![0].replace("-", " ");
        if (indent) {
            event.preventDefault();
            document.execCommand("insertText", false, "\n" + indent);
        }
    }
    if (event.key !== "Tab")
        leaving.current = false;
}

export function Editor({ label, value, errors, readOnly, onChange }: EditorProps) {
    const area = useRef<HTMLTextAreaElement>(null);
    const gutter = useRef<HTMLDivElement>(null);
    const leaving = useRef(false);
    const id = useId();
    const lines = value.split("\n");
    const bad = new Map(errors.filter(({ line }) => line).map((error) => [error.line!, error]));
    const goTo = (line: number) => {
        const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
        area.current!.focus();
        area.current!.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
        const height = area.current!.scrollHeight / Math.max(lines.length, 1);
        area.current!.scrollTop = Math.max(0, (line - 5) * height);
    };
    const first = errors.find(({ line }) => line)?.line;
    useEffect(() => {
        if (first)
            goTo(first);
    }, [errors]);
    return (
        <div class="editor">
            <label class="sr-only" for={id}>{label}</label>
            <div class="editor-box">
                <div class="gutter" ref={gutter} aria-hidden="true">
                    {lines.map((_, i) => (
                        <div key={i} class={bad.has(i + 1) ? "bad" : ""}>{i + 1}</div>
                    ))}
                </div>
                <textarea ref={area} id={id} value={value} readOnly={readOnly} wrap="off"
                    spellcheck={false} autoCapitalize="none" autoComplete="off"
                    aria-invalid={errors.length > 0} aria-describedby={`${id}-hint ${id}-errors`}
                    onKeyDown={(event) => onKeyDown(event, leaving)}
                    onScroll={(event) => {
                        gutter.current!.scrollTop = event.currentTarget.scrollTop;
                    }}
                    onInput={(event) => onChange(event.currentTarget.value)} />
            </div>
            {!readOnly && (
                <p class="hint" id={`${id}-hint`}>Tab indents; Escape and then Tab leaves the
                    text.</p>
            )}
            <div id={`${id}-errors`} role="alert">
                {errors.length > 0 && (
                    <ul class="editor-errors">
                        {errors.map((error) => (
                            <li key={`${error.line} ${error.field} ${error.message}`}>
                                <Icon name="alert" />
                                {error.line && (
                                    <button type="button" onClick={() => goTo(error.line!)}>
                                        Line {error.line}
                                    </button>
                                )}
                                <span><code>{error.field}</code> {error.message}</span>
                            </li>
                        ))}
                    </ul>
                )}
            </div>
        </div>
    );
}
