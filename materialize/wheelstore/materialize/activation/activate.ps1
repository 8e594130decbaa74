# Puts this environment first in the running PowerShell: dot-source it. `deactivate` takes that back.

if (Test-Path function:deactivate) {
    deactivate -NonDestructive
}

function global:deactivate ([switch] $NonDestructive) {
    if (Test-Path variable:global:_OLD_VIRTUAL_PATH) {
        $env:PATH = $global:_OLD_VIRTUAL_PATH
        Remove-Variable -Name _OLD_VIRTUAL_PATH -Scope Global
    }
    if (Test-Path variable:global:_OLD_VIRTUAL_PYTHONHOME) {
        $env:PYTHONHOME = $global:_OLD_VIRTUAL_PYTHONHOME
        Remove-Variable -Name _OLD_VIRTUAL_PYTHONHOME -Scope Global
    }
    if (Test-Path function:_OLD_VIRTUAL_PROMPT) {
        Set-Item -Path function:global:prompt -Value $function:_OLD_VIRTUAL_PROMPT
        Remove-Item -Path function:_OLD_VIRTUAL_PROMPT
    }
    Remove-Item -Path env:VIRTUAL_ENV, env:VIRTUAL_ENV_PROMPT -ErrorAction SilentlyContinue
    if (-not $NonDestructive) {
        Remove-Item -Path function:deactivate
    }
}

# This file knows where it is, so that no path is written here that an encoding could spoil.
$env:VIRTUAL_ENV = Split-Path -Parent $PSScriptRoot
$env:VIRTUAL_ENV_PROMPT = @@PROMPT@@

$global:_OLD_VIRTUAL_PATH = $env:PATH
$env:PATH = $PSScriptRoot + [System.IO.Path]::PathSeparator + $env:PATH

if (Test-Path env:PYTHONHOME) {
    $global:_OLD_VIRTUAL_PYTHONHOME = $env:PYTHONHOME
    Remove-Item -Path env:PYTHONHOME
}

if (-not $env:VIRTUAL_ENV_DISABLE_PROMPT) {
    Set-Item -Path function:global:_OLD_VIRTUAL_PROMPT -Value $function:prompt
    function global:prompt {
        "($env:VIRTUAL_ENV_PROMPT) " + (& $function:_OLD_VIRTUAL_PROMPT)
    }
}
