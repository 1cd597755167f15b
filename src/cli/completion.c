/*
 * Each script holds the whole command table, so that completing needs no run of the program; only
 * workspace names are asked for (`adit list --names`), and only when one is being typed.
 */
#include "cli/completion.h"

#include <stddef.h>
#include <string.h>

#include "base/span.h"
#include "cli/command.h"

typedef void option_fn(FILE *f, const struct option *o);

static void each_option(FILE *f, const struct command *c, option_fn *print)
{
    const struct option *tables[ARGS_TABLES_MAX];
    size_t n = command_option_tables(c, tables);
    for (size_t i = 0; i < n; i++)
        for (const struct option *o = tables[i]; o->name; o++)
            print(f, o);
}

/* Inside single quotes: a quote ends the string, stands escaped, and opens it again. */
static void print_quoted(FILE *f, const char *text, const char *also_escape)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", f);
        else if (strchr(also_escape, *text))
            fprintf(f, "\\%c", *text);
        else
            fputc(*text, f);
    }
}

static void print_names(FILE *f, const struct command *const *table)
{
    for (; *table; table++)
        fprintf(f, " %s", (*table)->name);
}

static bool takes_file(const struct option *o)
{
    return o->value && (strstr(o->value, "FILE") || strstr(o->value, "DIR"));
}

/* One of its arguments is a file. */
static bool names_file(const struct command *c)
{
    return c->words && strstr(c->words, "FILE");
}

static void print_choices(FILE *f, const struct option *o)
{
    for (const char *p = o->choices; *p; p++)
        fputc(*p == '|' ? ' ' : *p, f);
}

/* ---- bash ---- */

static void bash_option(FILE *f, const struct option *o)
{
    if (o->letter)
        fprintf(f, " -%c", o->letter);
    if (o->name[1])
        fprintf(f, " --%s", o->name);
}

static void bash_option_values(FILE *f, const struct option *o)
{
    if (o->kind != OPTION_VALUE && o->kind != OPTION_LIST)
        return;
    fputs("        ", f);
    if (o->letter)
        fprintf(f, "-%c%s", o->letter, o->name[1] ? "|" : "");
    if (o->name[1])
        fprintf(f, "--%s", o->name);
    fputs(") ", f);
    if (o->choices) {
        fputs("COMPREPLY=($(compgen -W '", f);
        print_choices(f, o);
        fputs("' -- \"$cur\")); ", f);
    } else if (takes_file(o)) {
        fputs("COMPREPLY=($(compgen -f -- \"$cur\")); ", f);
    }
    fputs("return ;;\n", f);
}

static void bash_command(FILE *f, const struct command *c, const char *path)
{
    fprintf(f, "    '%s')\n        case \"$prev\" in\n", path);
    each_option(f, c, bash_option_values);
    fprintf(f, "        esac\n        words='");
    each_option(f, c, bash_option);
    if (c->subcommands)
        print_names(f, c->subcommands);
    if (c->traits & COMMAND_COMMAND)
        print_names(f, commands);
    fprintf(f, "'\n");
    if (c->traits & COMMAND_WORKSPACE)
        fprintf(f, "        [[ $cur == -* ]] || words+=\" $(adit list --names 2>/dev/null)\"\n");
    if (names_file(c))
        fprintf(f, "        [[ $cur == -* ]] || COMPREPLY=($(compgen -f -- \"$cur\"))\n");
    fprintf(f, "        ;;\n");
    for (const struct command *const *s = c->subcommands; s && *s; s++) {
        char inner[128];
        snprintf(inner, sizeof(inner), "%s %s", path, (*s)->name);
        bash_command(f, *s, inner);
    }
}

void completion_print_bash(FILE *f)
{
    fputs("# bash completion for adit. Use: eval \"$(adit completion bash)\"\n"
          "_adit()\n{\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    local path='' words='' word i\n"
          "    COMPREPLY=()\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        word=${COMP_WORDS[i]}\n"
          "        [[ $word == -* ]] && continue\n"
          "        case \"$path/$word\" in\n",
          f);
    for (const struct command *const *c = commands; *c; c++) {
        fprintf(f, "        '/%s') path='%s' ;;\n", (*c)->name, (*c)->name);
        for (const struct command *const *s = (*c)->subcommands; s && *s; s++)
            fprintf(f, "        '%s/%s') path='%s %s' ;;\n", (*c)->name, (*s)->name, (*c)->name,
                    (*s)->name);
    }
    fputs("        esac\n    done\n    case \"$path\" in\n    '')\n        words='", f);
    print_names(f, commands);
    fputs(" --help --version'\n        ;;\n", f);
    for (const struct command *const *c = commands; *c; c++)
        bash_command(f, *c, (*c)->name);
    fputs("    esac\n"
          "    COMPREPLY+=($(compgen -W \"$words\" -- \"$cur\"))\n"
          "}\ncomplete -F _adit adit\n",
          f);
}

/* ---- zsh ---- */

static void zsh_value(FILE *f, const struct option *o)
{
    if (o->kind == OPTION_FLAG)
        return;
    fputs(o->kind == OPTION_OPTIONAL ? "::" : ":", f);
    print_quoted(f, o->value, ":\\");
    fputc(':', f);
    if (o->choices) {
        fputc('(', f);
        print_choices(f, o);
        fputc(')', f);
    } else if (takes_file(o)) {
        fputs("_files", f);
    }
}

static void zsh_spec(FILE *f, const struct option *o, const char *spelling)
{
    bool with_equals = o->kind != OPTION_FLAG && spelling[1] == '-';
    fprintf(f, "            '%s%s%s[", o->kind == OPTION_LIST ? "*" : "", spelling,
            !with_equals                 ? (o->kind == OPTION_FLAG ? "" : "+")
            : o->kind == OPTION_OPTIONAL ? "=-"
                                         : "=");
    print_quoted(f, o->help, "[]:\\");
    fputc(']', f);
    zsh_value(f, o);
    fputs("' \\\n", f);
}

static void zsh_option(FILE *f, const struct option *o)
{
    char spelling[80];
    if (o->letter) {
        snprintf(spelling, sizeof(spelling), "-%c", o->letter);
        zsh_spec(f, o, spelling);
    }
    if (o->name[1]) {
        snprintf(spelling, sizeof(spelling), "--%s", o->name);
        zsh_spec(f, o, spelling);
    }
}

static void zsh_list(FILE *f, const struct command *const *table)
{
    for (; *table; table++) {
        fprintf(f, " '%s:", (*table)->name);
        print_quoted(f, (*table)->summary, ":\\");
        fputc('\'', f);
    }
}

static void zsh_command(FILE *f, const struct command *c, const char *path)
{
    fprintf(f, "    '%s')\n", path);
    if (c->subcommands) {
        fputs("        local -a list=(", f);
        zsh_list(f, c->subcommands);
        fprintf(f, ")\n        _describe 'command' list\n        ;;\n");
    } else {
        fputs("        _arguments -s \\\n", f);
        each_option(f, c, zsh_option);
        if (c->traits & COMMAND_WORKSPACE)
            fputs("            '1:workspace:_adit_workspaces' \\\n", f);
        if (c->traits & COMMAND_COMMAND) {
            fputs("            '*:command:(", f);
            print_names(f, commands);
            fputs(")'", f);
        } else {
            /* With two colons it would be the words of another program from there on. */
            fprintf(f, "            '*:%s :%s'", c->traits & COMMAND_PASSES_ON ? ":" : "",
                    names_file(c) || (c->traits & COMMAND_PASSES_ON) ? "_default" : "()");
        }
        fputs("\n        ;;\n", f);
    }
    for (const struct command *const *s = c->subcommands; s && *s; s++) {
        char inner[128];
        snprintf(inner, sizeof(inner), "%s %s", path, (*s)->name);
        zsh_command(f, *s, inner);
    }
}

void completion_print_zsh(FILE *f)
{
    fputs("#compdef adit\n"
          "# zsh completion for adit. Use: adit completion zsh > \"${fpath[1]}/_adit\"\n"
          "_adit_workspaces()\n{\n"
          "    local -a names=(${(f)\"$(adit list --names 2>/dev/null)\"})\n"
          "    compadd -a names\n"
          "}\n"
          "_adit()\n{\n"
          "    local chosen=''\n" /* not "path", which is PATH to zsh */
          "    while ((CURRENT > 2)) && [[ ${words[2]} != -* ]]; do\n"
          "        case \"$chosen/${words[2]}\" in\n",
          f);
    for (const struct command *const *c = commands; *c; c++) {
        fprintf(f, "        '/%s') chosen='%s' ;;\n", (*c)->name, (*c)->name);
        for (const struct command *const *s = (*c)->subcommands; s && *s; s++)
            fprintf(f, "        '%s/%s') chosen='%s %s' ;;\n", (*c)->name, (*s)->name, (*c)->name,
                    (*s)->name);
    }
    fputs("        *) break ;;\n        esac\n        shift words\n        ((CURRENT--))\n"
          "    done\n    case \"$chosen\" in\n    '')\n        local -a list=(",
          f);
    zsh_list(f, commands);
    fputs(")\n        _describe 'command' list\n        ;;\n", f);
    for (const struct command *const *c = commands; *c; c++)
        zsh_command(f, *c, (*c)->name);
    fputs("    esac\n}\n"
          "if [[ ${funcstack[1]} == _adit ]]; then\n    _adit \"$@\"\nelse\n"
          "    compdef _adit adit\nfi\n",
          f);
}

/* ---- fish ---- */

static void fish_option(FILE *f, const struct option *o)
{
    if (o->letter)
        fprintf(f, " -s %c", o->letter);
    if (o->name[1])
        fprintf(f, " -l %s", o->name);
    if (o->choices) {
        fputs(" -x -a '", f);
        print_choices(f, o);
        fputc('\'', f);
    } else if (takes_file(o)) {
        fputs(" -r -F", f);
    } else if (o->kind == OPTION_VALUE || o->kind == OPTION_LIST) {
        fputs(" -x", f);
    }
    fputs(" -d '", f);
    for (const char *p = o->help; *p; p++)
        fprintf(f, *p == '\'' || *p == '\\' ? "\\%c" : "%c", *p);
    fputs("'\n", f);
}

static void fish_names(FILE *f, const struct command *const *table, const char *path)
{
    for (; *table; table++)
        fprintf(f, "complete -c adit -n '__adit_at %s' -a %s -d '%s'\n", path, (*table)->name,
                (*table)->summary);
}

static void fish_command(FILE *f, const struct command *c, const char *path)
{
    const struct option *tables[ARGS_TABLES_MAX];
    size_t n = command_option_tables(c, tables);
    for (size_t i = 0; i < n && !c->subcommands; i++)
        for (const struct option *o = tables[i]; o->name; o++) {
            fprintf(f, "complete -c adit -n '__adit_at %s'", path);
            fish_option(f, o);
        }
    if (c->subcommands)
        fish_names(f, c->subcommands, path);
    if (c->traits & COMMAND_COMMAND)
        fish_names(f, commands, path);
    if (c->traits & COMMAND_WORKSPACE)
        fprintf(f, "complete -c adit -n '__adit_at %s' -a '(adit list --names 2>/dev/null)'\n",
                path);
    if (names_file(c))
        fprintf(f, "complete -c adit -n '__adit_at %s' -F\n", path);
    for (const struct command *const *s = c->subcommands; s && *s; s++) {
        char inner[128];
        snprintf(inner, sizeof(inner), "%s %s", path, (*s)->name);
        fish_command(f, *s, inner);
    }
}

void completion_print_fish(FILE *f)
{
    fputs("# fish completion for adit. Use: adit completion fish | source\n"
          "function __adit_at # the words before the cursor begin with just this command\n"
          "    set -l typed (commandline -opc)\n"
          "    set -l path\n"
          "    for word in $typed[2..-1]\n"
          "        string match -q -- '-*' $word; and break\n"
          "        switch \"$path $word\"\n"
          "            case",
          f);
    for (const struct command *const *c = commands; *c; c++) {
        fprintf(f, " ' %s'", (*c)->name);
        for (const struct command *const *s = (*c)->subcommands; s && *s; s++)
            fprintf(f, " '%s %s'", (*c)->name, (*s)->name);
    }
    fputs("\n"
          "                set path $path $word\n"
          "            case '*'\n"
          "                break\n"
          "        end\n"
          "    end\n"
          "    test \"$path\" = \"$argv\"\n"
          "end\n"
          "complete -c adit -f\n",
          f);
    fish_names(f, commands, "");
    for (const struct command *const *c = commands; *c; c++)
        fish_command(f, *c, (*c)->name);
}
