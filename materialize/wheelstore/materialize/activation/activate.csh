# Puts this environment first in the running csh or tcsh: source it. `deactivate` takes that back.

alias deactivate 'test $?_OLD_VIRTUAL_PATH = 1 && setenv PATH $_OLD_VIRTUAL_PATH:q && unset _OLD_VIRTUAL_PATH; test $?_OLD_VIRTUAL_PYTHONHOME = 1 && setenv PYTHONHOME $_OLD_VIRTUAL_PYTHONHOME:q && unset _OLD_VIRTUAL_PYTHONHOME; test $?_OLD_VIRTUAL_PROMPT = 1 && set prompt = $_OLD_VIRTUAL_PROMPT:q && unset _OLD_VIRTUAL_PROMPT; unsetenv VIRTUAL_ENV; unsetenv VIRTUAL_ENV_PROMPT; rehash; test "\!:*" != nondestructive && unalias deactivate'

# Another environment may be active, of whatever tool: they all keep the old values under these names.
deactivate nondestructive

setenv VIRTUAL_ENV @@DIRECTORY@@
setenv VIRTUAL_ENV_PROMPT @@PROMPT@@

set _OLD_VIRTUAL_PATH = $PATH:q
setenv PATH $VIRTUAL_ENV:q/@@SCRIPTS@@:$PATH:q

if ($?PYTHONHOME) then
    set _OLD_VIRTUAL_PYTHONHOME = $PYTHONHOME:q
    unsetenv PYTHONHOME
endif

if ($?prompt && ! $?VIRTUAL_ENV_DISABLE_PROMPT) then
    set _OLD_VIRTUAL_PROMPT = $prompt:q
    set prompt = @@DISPLAY@@$prompt:q
endif

rehash
