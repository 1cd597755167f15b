#include "cli/ssh_section.h"

#include <errno.h>
#include <fnmatch.h>

#include "base/cleanup.h"

static const char start_marker[] = "# >>> adit >>>";
static const char end_marker[] = "# <<< adit <<<";
static const char start_line[] =
    "# >>> adit >>> This section is written by `adit config-ssh`, which overwrites it.\n"
    "# Workspaces as adit.WORKSPACE, adit.WORKSPACE.AGENT, adit.OWNER--WORKSPACE[.AGENT].\n"
    "# Keep it above sections for all hosts: of several values ssh takes the first.\n";
static const char end_line[] = "# <<< adit <<<\n";

/* ---- where it is ---- */

struct marks {
    size_t starts, ends;         /* how many */
    size_t start_line, end_line; /* numbers of the last ones */
    size_t start, end;           /* bytes: of the last start; behind the last end */
};

static struct marks find_marks(struct span text)
{
    struct marks m = {0};
    struct span rest = text, line;
    for (size_t n = 1; span_split(&rest, '\n', &line); n++) {
        size_t at = (size_t)(line.p - text.p);
        size_t behind = at + line.len + (at + line.len < text.len);
        if (span_starts(line, start_marker)) {
            m.starts++;
            m.start_line = n;
            m.start = at;
        } else if (span_starts(line, end_marker)) {
            m.ends++;
            m.end_line = n;
            m.end = behind;
        }
    }
    return m;
}

struct section {
    bool found;
    size_t start, end; /* bytes; the marker lines are in it, with their line ends */
};

static int find_section(struct span text, struct section *ret, struct err *err)
{
    struct marks m = text.len ? find_marks(text) : (struct marks){0};
    *ret = (struct section){0};
    if (m.starts == 0 && m.ends == 0)
        return 0;
    if (m.starts > 1 || m.ends > 1)
        return err_set(
            err, -EINVAL, "adit's section is there twice (the second %s line %zu): remove one",
            m.starts > 1 ? "begins in" : "ends in", m.starts > 1 ? m.start_line : m.end_line);
    if (m.ends == 0)
        return err_set(err, -EINVAL,
                       "adit's section begins in line %zu and has no end line \"%s\": put it "
                       "back, or remove the section",
                       m.start_line, end_marker);
    if (m.starts == 0 || m.end <= m.start)
        return err_set(err, -EINVAL,
                       "adit's section ends in line %zu and does not begin before that: remove "
                       "what is left of it",
                       m.end_line);
    *ret = (struct section){.found = true, .start = m.start, .end = m.end};
    return 0;
}

/* ---- changing it ---- */

static int append(struct buf *dst, struct span text)
{
    return buf_append(dst, text.p, text.len);
}

/* A new section has an empty line behind it, which goes with it. */
int ssh_section_put(struct span text, struct span body, struct buf *dst, struct err *err)
{
    struct section at;
    int r = find_section(text, &at, err);
    if (r < 0)
        return r;
    const struct span pieces[] = {
        span_sub(text, 0, at.start),
        SPAN(start_line),
        body,
        SPAN(end_line),
        !at.found && text.len > 0 ? SPAN("\n") : SPAN_NULL,
        span_sub(text, at.end, text.len),
    };
    for (size_t i = 0; i < ARRAY_LEN(pieces) && r == 0; i++)
        r = append(dst, pieces[i]);
    return r < 0 ? err_set(err, r, "the file would become too long") : 0;
}

int ssh_section_remove(struct span text, struct buf *dst, struct err *err)
{
    struct section at;
    int r = find_section(text, &at, err);
    if (r < 0)
        return r;
    struct span behind = span_sub(text, at.end, text.len);
    if (at.found && span_starts(behind, "\n"))
        behind = span_sub(behind, 1, behind.len);
    r = append(dst, span_sub(text, 0, at.start));
    if (r == 0)
        r = append(dst, behind);
    return r < 0 ? err_set(err, r, "the file is too long") : 0;
}

/* ---- what stands before it ---- */

/* Takes a word from the front; ssh allows `=` and spaces between a keyword and its values. */
static bool next_word(struct span *rest, struct span *ret)
{
    static const char separators[] = " \t\r=";
    size_t at = 0, end;
    while (at < rest->len && span_find(SPAN(separators), rest->p[at]) >= 0)
        at++;
    bool quoted = at < rest->len && rest->p[at] == '"';
    at += quoted;
    for (end = at; end < rest->len; end++)
        if (quoted ? rest->p[end] == '"' : span_find(SPAN(separators), rest->p[end]) >= 0)
            break;
    *ret = span_sub(*rest, at, end);
    *rest = span_sub(*rest, end + quoted, rest->len);
    return ret->len > 0;
}

/* A pattern, or several with commas; a negated one that matches decides. */
static bool matches(struct span patterns, bool *ret_negated)
{
    static const char host[] = "adit.x";
    struct span one;
    bool found = false;
    while (span_split(&patterns, ',', &one)) {
        bool negated = span_starts(one, "!");
        _cleanup_free_ char *pattern = span_dup(span_sub(one, negated, one.len));
        if (fnmatch(pattern, host, FNM_NOESCAPE) != 0)
            continue;
        if (negated)
            *ret_negated = true;
        found = true;
    }
    return found;
}

static bool host_applies(struct span words)
{
    struct span word;
    bool found = false, negated = false;
    while (next_word(&words, &word))
        found |= matches(word, &negated);
    return found && !negated;
}

/* Only conditions on the host's name can be told; the others may hold. */
static bool match_applies(struct span words)
{
    struct span word, value;
    while (next_word(&words, &word)) {
        bool negated = false;
        if (!span_iis(word, "host") && !span_iis(word, "originalhost"))
            continue;
        if (!next_word(&words, &value) || !matches(value, &negated) || negated)
            return false;
    }
    return true;
}

static bool sets_ours(struct span keyword)
{
    static const char *const ours[] = {
        "canonicalizehostname",
        "ciphers",
        "globalknownhostsfile",
        "hostkeyalgorithms",
        "hostkeyalias",
        "hostname",
        "identitiesonly",
        "include",
        "kexalgorithms",
        "port",
        "preferredauthentications",
        "proxycommand",
        "proxyjump",
        "stricthostkeychecking",
        "updatehostkeys",
        "user",
        "userknownhostsfile",
    };
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (span_iis(keyword, ours[i]))
            return true;
    return false;
}

size_t ssh_section_shadowed(struct span text, struct span *ret_line)
{
    struct section at;
    if (find_section(text, &at, NULL) < 0 || at.start == 0)
        return 0;
    struct span rest = span_sub(text, 0, at.start), line, keyword;
    bool applies = true;
    for (size_t n = 1; span_split(&rest, '\n', &line); n++) {
        struct span words = line;
        if (!next_word(&words, &keyword) || span_starts(keyword, "#"))
            continue;
        if (span_iis(keyword, "host")) {
            applies = host_applies(words);
        } else if (span_iis(keyword, "match")) {
            applies = match_applies(words);
        } else if (applies && sets_ours(keyword)) {
            *ret_line = span_trim(line);
            return n;
        }
    }
    return 0;
}
