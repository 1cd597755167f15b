// usage: node build.mjs OUTPUT.c OUTPUT.d
//
// Bundles src/ by esbuild and writes it as a C source (src/web/dashboard_files.h): the page, and
// script and style sheet under names with a hash of what they hold, each also compressed. OUTPUT.d
// lists what it was made from, for Ninja.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";

import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const [output, depfile] = process.argv.slice(2).map((path) => resolve(path));

function hash(data) {
    return createHash("sha256").update(data).digest("hex").slice(0, 16);
}

async function bundle() {
    const result = await build({
        entryPoints: { app: join(here, "src/main.tsx"), style: join(here, "src/style.css") },
        outdir: "/assets",
        absWorkingDir: here,
        entryNames: "[name]-[hash]",
        bundle: true,
        format: "esm",
        target: "es2022",
        minify: true,
        jsx: "automatic",
        jsxImportSource: "preact",
        legalComments: "none",
        metafile: true,
        write: false,
    });
    const inputs = Object.keys(result.metafile.inputs).map((path) => join(here, path));
    const files = result.outputFiles.map(({ path, contents }) => ({
        path: "/assets/" + relative("/assets", path),
        type: path.endsWith(".css") ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8",
        data: Buffer.from(contents),
    }));
    return { inputs, files };
}

// The page names script and style sheet by their hashed names.
function makePage(files) {
    const source = join(here, "src/index.html");
    let text = readFileSync(source, "utf8");
    for (const { path } of files)
        text = text.replace(path.endsWith(".css") ? "@STYLE@" : "@SCRIPT@", path);
    return { source, page: { path: "/", type: "text/html; charset=utf-8", data: Buffer.from(text) } };
}

function cBytes(name, data) {
    const lines = [];
    for (let at = 0; at < data.length; at += 24)
        lines.push("    " + [...data.subarray(at, at + 24)].join(","));
    return `static const unsigned char ${name}[] = {\n${lines.join(",\n")}};\n`;
}

function cFile({ path, type, data }, number) {
    const forms = {
        plain: data,
        gzip: gzipSync(data, { level: 9 }),
        brotli: brotliCompressSync(data),
    };
    const arrays = Object.entries(forms).map(([kind, bytes]) =>
        cBytes(`${kind}_${number}`, bytes));
    const members = Object.keys(forms).map((kind) =>
        `.${kind} = {${kind}_${number}, sizeof(${kind}_${number})}`);
    return {
        arrays: arrays.join(""),
        value: `{.path = "${path}", .type = "${type}", .etag = "\\"${hash(data)}\\"",\n` +
            `     ${members.join(", ")}}`,
    };
}

function writeSource(page, files) {
    const parts = [page, ...files].map(cFile);
    const [first, ...rest] = parts;
    writeFileSync(output, "#include \"web/dashboard_files.h\"\n\n" +
        parts.map(({ arrays }) => arrays).join("") +
        `\nconst struct dashboard_file dashboard_page =\n    ${first.value};\n` +
        "const struct dashboard_file dashboard_files[] = {\n" +
        rest.map(({ value }) => `    ${value},\n`).join("") +
        "};\nconst size_t dashboard_n_files = " +
        "sizeof(dashboard_files) / sizeof(dashboard_files[0]);\n");
}

const { inputs, files } = await bundle();
const { source, page } = makePage(files);
writeSource(page, files);
writeFileSync(depfile, `${output}: ${[...inputs, source].join(" ")}\n`);
