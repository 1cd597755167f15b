// Chromium for pytest, through playwright-core. Reads one JSON request a line,
// {"id", "on", "call", "args"}, calls that method of the object named by "on" and writes
// {"id", "value"} or {"id", "error"}. What JSON cannot hold comes back as {"handle": NAME}.
import { createInterface } from "node:readline";

import { chromium } from "playwright-core";

const objects = new Map([["chromium", chromium]]);
const handles = new Map();

function watch(page, name) {
    page.setDefaultTimeout(Number(process.env.PAGE_TIMEOUT_MS));
    page.on("console", (message) =>
        console.error(`${name} console ${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => console.error(`${name} error: ${error.message}`));
    page.on("response", (answer) =>
        console.error(`${name} ${answer.status()} ${answer.request().method()} ${answer.url()}`));
}

function pass(value) {
    if (value === null || typeof value !== "object")
        return value;
    if (Buffer.isBuffer(value))
        return value.toString("base64");
    const kind = value.constructor.name.replace(/^_/, "");
    if (kind === "Object" || kind === "Array")
        return value;
    if (!handles.has(value)) {
        const name = `${kind}-${handles.size + 1}`;
        handles.set(value, name);
        objects.set(name, value);
        if (kind === "Page")
            watch(value, name);
    }
    return { handle: handles.get(value) };
}

function write(answer) {
    process.stdout.write(`${JSON.stringify(answer)}\n`);
}

// "keyboard.press" of a page, bound to what it is a method of.
function step(object, name) {
    const value = object[name];
    return typeof value === "function" ? value.bind(object) : value;
}

async function run({ id, on, call, args }) {
    try {
        const value = await call.split(".").reduce(step, objects.get(on))(...args);
        write({ id, value: pass(value) });
    } catch (error) {
        write({ id, error: error.message });
    }
}

for await (const line of createInterface({ input: process.stdin }))
    run(JSON.parse(line));
