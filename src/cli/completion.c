/*
 * Shell completion scripts; see help.h. They hand the words to `fanfare help --complete` and show
 * what it says, so that they fit the program that is called whatever its version.
 */
#include "cli/help.h"

static const char bash_script[] =
    "# bash completion for fanfare: source it, or install it as\n"
    "# /usr/share/bash-completion/completions/fanfare\n"
    "_fanfare() {\n"
    "    local line=${COMP_LINE:0:COMP_POINT} word candidate path\n"
    "    local -a words lines\n"
    "    # Not COMP_WORDS: readline splits words at ':' and '=', too.\n"
    "    read -ra words <<<\"$line\"\n"
    "    [[ $line == *[[:space:]] ]] && words+=('')\n"
    "    word=${words[${#words[@]} - 1]}\n"
    "    mapfile -t lines < <(\"${words[0]/#\\~\\//$HOME/}\" help --complete -- \"${words[@]:1}\" "
    "2>/dev/null)\n"
    "    COMPREPLY=()\n"
    "    path=$word\n"
    "    [[ $word == --*=* ]] && path=${word#*=}\n"
    "    for candidate in \"${lines[@]}\"; do\n"
    "        case $candidate in\n"
    "        :files)\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -f -- \"$path\")\n"
    "            ;;\n"
    "        :directories)\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -d -- \"$path\")\n"
    "            ;;\n"
    "        :commands)\n"
    "            mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -c -- \"$path\")\n"
    "            ;;\n"
    "        *) COMPREPLY+=(\"${candidate%%$'\\t'*}\") ;;\n"
    "        esac\n"
    "    done\n"
    "    # readline replaces only what follows the last ':' or '='.\n"
    "    case $word in\n"
    "    *[:=]*) COMPREPLY=(\"${COMPREPLY[@]#\"${word%\"${word##*[:=]}\"}\"}\") ;;\n"
    "    esac\n"
    "    return 0\n"
    "}\n"
    "complete -F _fanfare fanfare\n";

static const char zsh_script[] =
    "#compdef fanfare\n"
    "# zsh completion for fanfare: install it as _fanfare in a directory of $fpath\n"
    "_fanfare() {\n"
    "    local -a lines values shown\n"
    "    local line\n"
    "    lines=(\"${(@f)$(\"${(Q)words[1]}\" help --complete -- \"${(@Q)words[2,CURRENT]}\" "
    "2>/dev/null)}\")\n"
    "    for line in $lines; do\n"
    "        case $line in\n"
    "        :files) compset -P '--*='; _files ;;\n"
    "        :directories) compset -P '--*='; _files -/ ;;\n"
    "        :commands) _command_names -e ;;\n"
    "        *)\n"
    "            values+=(\"${line%%$'\\t'*}\")\n"
    "            shown+=(\"${line/$'\\t'/  -- }\")\n"
    "            ;;\n"
    "        esac\n"
    "    done\n"
    "    (( $#values )) && compadd -l -d shown -a values\n"
    "}\n"
    "if [[ $funcstack[1] == _fanfare ]]; then\n"
    "    _fanfare \"$@\"\n"
    "else\n"
    "    compdef _fanfare fanfare\n"
    "fi\n";

static const char fish_script[] =
    "# fish completion for fanfare: ~/.config/fish/completions/fanfare.fish\n"
    "function __fanfare_complete\n"
    "    set -l words (commandline -opc)\n"
    "    set -l word (commandline -ct)\n"
    "    for line in ($words[1] help --complete -- $words[2..-1] \"$word\" 2>/dev/null)\n"
    "        switch $line\n"
    "            case :files\n"
    "                __fish_complete_path \"$word\"\n"
    "            case :directories\n"
    "                __fish_complete_directories \"$word\" ''\n"
    "            case :commands\n"
    "                __fish_complete_command\n"
    "            case '*'\n"
    "                echo $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c fanfare -f -a '(__fanfare_complete)'\n";

bool help_append_completion(struct buf *out, const char *shell)
{
    static const struct {
        const char *name, *script;
    } shells[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++)
        if (strcmp(shell, shells[i].name) == 0) {
            buf_append_text(out, shells[i].script);
            return true;
        }
    return false;
}
