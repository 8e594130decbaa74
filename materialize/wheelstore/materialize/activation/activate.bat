@rem Puts this environment first in the running cmd. deactivate.bat takes that back.
@if defined _OLD_VIRTUAL_PATH call "%~dp0deactivate.bat"
@rem This file knows where it is, so that no path is written here that a code page could spoil.
@for %%I in ("%~dp0..") do @set "VIRTUAL_ENV=%%~fI"
@set "VIRTUAL_ENV_PROMPT=@@PROMPT@@"
@set "_OLD_VIRTUAL_PATH=%PATH%"
@set "PATH=%VIRTUAL_ENV%\@@SCRIPTS@@;%PATH%"
@if defined PYTHONHOME set "_OLD_VIRTUAL_PYTHONHOME=%PYTHONHOME%"
@set PYTHONHOME=
@if not defined PROMPT set "PROMPT=$P$G"
@if not defined VIRTUAL_ENV_DISABLE_PROMPT set "_OLD_VIRTUAL_PROMPT=%PROMPT%"
@if not defined VIRTUAL_ENV_DISABLE_PROMPT set "PROMPT=@@DISPLAY@@%PROMPT%"
