# Puts this environment first in the running fish: source it. `deactivate` takes that back.

function deactivate --description 'Leave the Python environment'
    if set --query _OLD_VIRTUAL_PATH
        set --global --export PATH $_OLD_VIRTUAL_PATH
        set --erase _OLD_VIRTUAL_PATH
    end
    if set --query _OLD_VIRTUAL_PYTHONHOME
        set --global --export PYTHONHOME $_OLD_VIRTUAL_PYTHONHOME
        set --erase _OLD_VIRTUAL_PYTHONHOME
    end
    if set --query _OLD_FISH_PROMPT_OVERRIDE
        set --erase _OLD_FISH_PROMPT_OVERRIDE
        if functions --query _old_fish_prompt
            functions --erase fish_prompt
            functions --copy _old_fish_prompt fish_prompt
            functions --erase _old_fish_prompt
        end
    end
    set --erase VIRTUAL_ENV
    set --erase VIRTUAL_ENV_PROMPT
    if test "$argv[1]" != nondestructive
        functions --erase deactivate _venv_status
    end
end

# Another environment may be active, of whatever tool: they all keep the old values under these names.
deactivate nondestructive

set --global --export VIRTUAL_ENV @@DIRECTORY@@
set --global --export VIRTUAL_ENV_PROMPT @@PROMPT@@

set --global _OLD_VIRTUAL_PATH $PATH
set --global --export PATH "$VIRTUAL_ENV/"@@SCRIPTS@@ $PATH

if set --query PYTHONHOME
    set --global _OLD_VIRTUAL_PYTHONHOME $PYTHONHOME
    set --erase PYTHONHOME
end

function _venv_status --description 'Succeed or fail like an earlier command'
    return $argv[1]
end

if test -z "$VIRTUAL_ENV_DISABLE_PROMPT"; and functions --query fish_prompt
    functions --copy fish_prompt _old_fish_prompt
    function fish_prompt
        set --local last $status
        printf '%s(%s)%s ' (set_color 4B8BBE) "$VIRTUAL_ENV_PROMPT" (set_color normal)
        # The prompt around which this one is may show the status.
        _venv_status $last
        _old_fish_prompt
    end
    set --global _OLD_FISH_PROMPT_OVERRIDE "$VIRTUAL_ENV"
end
