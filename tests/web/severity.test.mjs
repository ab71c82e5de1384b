// What counts as an error or a warning, by lines that tools really print.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './load.mjs';

const { severityOf } = await load('terminal/severity.ts');

const errors = `
src/login.c:57:5: error: implicit declaration of function 'auth_init'
login.c:3:10: fatal error: auth.h: No such file or directory
/usr/bin/ld: main.o: in function \`main': undefined reference to \`auth_init'
collect2: error: ld returned 1 exit status
make[2]: *** [src/Makefile:12: login.o] Error 1
make: *** [all] Error 2
ninja: build stopped: subcommand failed.
error[E0308]: mismatched types
error: could not compile \`fanfare\` (bin "fanfare") due to 2 previous errors
src/app.ts(12,5): error TS2345: Argument of type 'string' is not assignable
src/app.ts:12:5 - error TS2345: Argument of type 'string' is not assignable
Program.cs(3,1): error CS1002: ; expected [/src/app.csproj]
thread 'main' panicked at src/main.rs:2:5:
panic: runtime error: index out of range [3] with length 3
goroutine 1 [running]:
--- FAIL: TestResume (0.01s)
FAIL	example.org/fanfare/hub	0.013s
FAILED tests/test_hub.py::test_resume - AssertionError: assert 41 == 42
E       assert 41 == 42
E   ModuleNotFoundError: No module named 'auth'
Traceback (most recent call last):
ValueError: invalid literal for int() with base 10: 'x'
json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)
==================== 3 failed, 12 passed in 0.52s ====================
Tests:       1 failed, 11 passed, 12 total
not ok 3 - resumes after a gap
npm ERR! code ELIFECYCLE
npm error code E404
✗ resumes after a gap
  ✖ 2 problems (2 errors, 0 warnings)
[  FAILED  ] Hub.Resume (3 ms)
 3/12 Test  #3: test_hub .........................***Failed    0.02 sec
The following tests FAILED:
ERROR: failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2
[ERROR] Failed to execute goal org.apache.maven.plugins:maven-compiler-plugin
2026-01-31 12:00:00,123 ERROR hub: no route to host
2026-01-31T12:00:00.123Z [ERROR] hub: no route to host
Exception in thread "main" java.lang.NullPointerException
Caused by: java.io.IOException: Broken pipe
BUILD FAILURE
FAILURE: Build failed with an exception.
fatal: not a git repository (or any of the parent directories): .git
==1234==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010
hub.c:12:3: runtime error: signed integer overflow: 2147483647 + 1
Segmentation fault (core dumped)
bash: cmakee: command not found
##[error]Process completed with exit code 1.
::error file=app.js,line=1::Missing semicolon
TypeError: Cannot read properties of undefined (reading 'offset')
Uncaught ReferenceError: fanfare is not defined
Process exited with code 137
Failures: 2
2 errors generated.
Error: Cannot find module 'ws'
    Error: Timed out waiting 10000ms
CMake Error at CMakeLists.txt:3 (find_package):
`;

const warnings = `
src/login.c:42:17: warning: unused variable 'token' [-Wunused-variable]
warning: unused import: \`std::io\`
CMake Warning at CMakeLists.txt:3 (message):
CMake Deprecation Warning at CMakeLists.txt:1 (cmake_minimum_required):
npm WARN deprecated inflight@1.0.6: This module is not supported
npm warn deprecated inflight@1.0.6
(node:12) [DEP0040] DeprecationWarning: The \`punycode\` module is deprecated.
/usr/lib/python3/site.py:3: UserWarning: pkg_resources is deprecated
src/app.ts:1:1 - warning TS6133: 'x' is declared but its value is never read.
[WARNING] Some problems were encountered while building the effective model
2026-01-31 12:00:00,123 WARN hub: slow reader
##[warning]Node.js 16 actions are deprecated.
::warning file=app.js::Careful
3 warnings generated.
not ok 4 - resumes # TODO not yet
`;

const neither = `
0 errors, 0 warnings
Found 0 errors. Watching for file changes.
✔ 0 errors
    0 Warning(s)
    0 Error(s)
no errors found
12 passed, 0 failed in 0.52s
Tests: 12 passed, 0 failed, 12 total
test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured
100% tests passed, 0 tests failed out of 12
Failures: 0, Errors: 0, Skipped: 1
[12/345] Building C object src/CMakeFiles/fanfare.dir/error.c.o
   Compiling thiserror v1.0.50
gcc -Wall -Werror -Wno-error=unused -c error.c -o error.o
 create mode 100644 src/base/error.h
  added error-ex@1.3.2
ok 3 - reports an error for bad JSON
ok 5 fails on bad input
--- PASS: TestErrorIsReported (0.00s)
PASSED tests/test_errors.py::test_failed_login
installing warning-banner
-- Looking for err.h - found
The errors are explained in docs/errors.md
# fail 0
not ok 5 - resumes # SKIP no network
process exited with code 0
mode: failfast
tests/errors/failing.test.mjs
https://example.org/error: the page
std::error::Error
ordinary output
`;

const lines = (text) => text.split('\n').filter((line) => line !== '');

for (const [expected, text] of [['error', errors], ['warning', warnings], [undefined, neither]]) {
    test(`${expected ?? 'neither'}: lines of compilers, test tools and package managers`, () => {
        const wrong = lines(text).filter((line) => severityOf(line) !== expected)
            .map((line) => `${severityOf(line)}: ${line}`);
        assert.deepEqual(wrong, []);
    });
}

test('a line of a megabyte is looked at in no time', () => {
    const started = performance.now();
    for (const part of ['error ', 'a', ' ', 'E  ', '0 errors ', ':1', 'warning'])
        severityOf(part.repeat(1_000_000 / part.length));
    assert.ok(performance.now() - started < 1000, `${performance.now() - started} ms`);
});
