# Puts this environment first in the running shell: source it from bash, zsh, dash or another POSIX shell.
# `deactivate` takes that back.

if [ -n "${BASH_SOURCE-}" ] && [ "${BASH_SOURCE-}" = "$0" ]; then
    printf '%s\n' "A program cannot change the shell that starts it; type: source $0" >&2
    exit 1
fi

deactivate () {
    if [ -n "${_OLD_VIRTUAL_PATH+set}" ]; then
        PATH=$_OLD_VIRTUAL_PATH
        export PATH
        unset _OLD_VIRTUAL_PATH
    fi
    if [ -n "${_OLD_VIRTUAL_PYTHONHOME+set}" ]; then
        PYTHONHOME=$_OLD_VIRTUAL_PYTHONHOME
        export PYTHONHOME
        unset _OLD_VIRTUAL_PYTHONHOME
    fi
    if [ -n "${_OLD_VIRTUAL_PS1+set}" ]; then
        PS1=$_OLD_VIRTUAL_PS1
        unset _OLD_VIRTUAL_PS1
    fi
    unset VIRTUAL_ENV VIRTUAL_ENV_PROMPT
    # The shell remembers where commands were found.
    hash -r 2>/dev/null || true
    if [ "${1-}" != nondestructive ]; then
        unset -f deactivate
    fi
}

# Another environment may be active, of whatever tool: they all keep the old values under these names.
deactivate nondestructive

VIRTUAL_ENV=@@DIRECTORY@@
if command -v cygpath >/dev/null 2>&1; then
    VIRTUAL_ENV=$(cygpath -u "$VIRTUAL_ENV")
fi
VIRTUAL_ENV_PROMPT=@@PROMPT@@
export VIRTUAL_ENV VIRTUAL_ENV_PROMPT

_OLD_VIRTUAL_PATH=${PATH-}
PATH=$VIRTUAL_ENV/@@SCRIPTS@@${PATH:+:$PATH}
export PATH

if [ -n "${PYTHONHOME+set}" ]; then
    _OLD_VIRTUAL_PYTHONHOME=$PYTHONHOME
    unset PYTHONHOME
fi

if [ -z "${VIRTUAL_ENV_DISABLE_PROMPT-}" ]; then
    _OLD_VIRTUAL_PS1=${PS1-}
    PS1=@@DISPLAY@@${PS1-}
fi

hash -r 2>/dev/null || true
