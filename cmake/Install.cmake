# The program with its manual pages and shell completions, which it writes itself when installed.
include(GNUInstallDirs)
install(TARGETS fanfare RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

set(generated ${CMAKE_BINARY_DIR}/generated)
install(CODE "
    file(MAKE_DIRECTORY ${generated}/man)
    set(fanfare $<TARGET_FILE:fanfare>)
    execute_process(COMMAND \${fanfare} help --man-pages ${generated}/man COMMAND_ERROR_IS_FATAL ANY)
    foreach(shell bash zsh fish)
        execute_process(COMMAND \${fanfare} help --completion \${shell}
            OUTPUT_FILE ${generated}/completion.\${shell} COMMAND_ERROR_IS_FATAL ANY)
    endforeach()")
install(DIRECTORY ${generated}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${generated}/completion.bash RENAME fanfare
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${generated}/completion.zsh RENAME _fanfare
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${generated}/completion.fish RENAME fanfare.fish
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
