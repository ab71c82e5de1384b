/*
 * Whether a line looks like an error or a warning of a compiler, a test tool or a package manager.
 * Meant for an overview, so it prefers what tools really print over what merely has the word in it:
 * "0 errors" and "error.c" are no errors.
 */

export type Severity = 'error' | 'warning' | undefined;

/* What stands before "error:" in messages of compilers and interpreters. */
const kinds = [
    'fatal', 'internal', 'compil(?:er|e|ation)', 'syntax', 'type', 'reference', 'range', 'import', 'module', 'name', 'value',
    'key', 'index', 'attribute', 'assertion', 'runtime', 'build', 'link(?:er)?', 'pars(?:e|ing)', 'unexpected', 'uncaught', 'unhandled',
];

/* A word that reports an error when something is said after it: `error: …`, `error[E0308]: …`, `TS2345`. */
const errorLabel = new RegExp(
    String.raw`(?:^|[\s\]):>*|])(?:(?:${kinds.join('|')}) ?)?` +
    String.raw`error(?:\[[\w-]+\]|\([\w-]+\)| [A-Z]{1,4}\d{2,5})?\s?:(?!:|\d|//)(?=.)`, 'i');

const errors: readonly RegExp[] = [
    /^\s*(?:\[[^\]]*\]\s*|--- |\[\s+)?(?:FAILED|FAILURE|FAIL|ERROR|FATAL|CRITICAL|PANIC)\b(?!\s*[:=]?\s*0\b)(?![-_.\w]*\/|\.\w)/, // gtest, ctest, go, pytest, bazel, jest
    /^\s*(?:\d{4}-\d\d-\d\d[T ][\d:.,]+\S*\s+)?[[(|<]?(?:ERROR|FATAL|CRITICAL|SEVERE|EMERG|ALERT)[\])|>]?(?:\s|:|$)(?!\s*[:=]?\s*0\b)/, // logs
    /\*\*\*(?:Failed|Exception|Timeout|Not Run|No tests)|^The following tests FAILED/i, // ctest
    /\b(?:FAILED|ERROR)\s+(?:tests?|src|\S+\.(?:py|js|ts|rb|go|rs|c|cc|cpp|java))\b.*::/, // pytest -r
    /^\s*(?:::error\b|##\[error\])/, // GitHub, Azure
    /^npm (?:ERR!|error\b)/,
    /^(?:yarn )?error (?:An|Command|Couldn|Failed|Your|Unexpected)/,
    /^\s*E {2,}\S/, // pytest
    /^\s*E\/\w+/, // Android
    /^\s*not ok\b(?!.*#\s*(?:todo|skip))/i, // TAP
    /^\s*(?:✖|✗|✘|×|❌|✕)\s/, // mocha, vitest, node
    /^\s*Traceback \(most recent call last\)/,
    /^(?:[\w.]+\.)?[A-Z]\w*(?:Error|Exception)(?::\s|$)/, // Python, Node, Java
    /^\s*(?:Exception in thread|Caused by:|Uncaught |Unhandled |panic:|fatal:|goroutine \d+ \[running\])/i,
    /^thread '.*' (?:\(\d+\) )?panicked at/,
    /^(?:CMake Error\b|fatal|make(?:\[\d+\])?: \*\*\*|ninja: build stopped|collect2: error|ld(?:\.\w+)?: )/i,
    /\b(?:undefined reference to|Segmentation fault|core dumped|Killed$|command not found|No such file or directory$|Permission denied$|cannot find -l)/,
    /\b(?:AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|MemorySanitizer)\b/,
    /:\d+(?::\d+)?: (?:runtime error|fatal error|error|panic)\b/i,
    /^\s*\d+\) .*(?:failed|failure)\b/i,
    /\b[1-9]\d*(?: \w+)? (?:errors?|failed|failures?|failing)\b(?!\s*[:=]\s*0\b)/i, // "3 failed, 12 passed"
    /\b(?:errors?|failed|failures?)\s*[:=]\s*[1-9]\d*\b/i, // "Failures: 2"
    /^(?:BUILD FAILED|BUILD FAILURE|Build FAILED|Build failed)/,
    /exited with (?:code|status) (?!0\b)\d+|exit (?:code|status):? (?!0\b)\d+/i,
];

const warnings: readonly RegExp[] = [
    /(?:^|[\s\]):>*|])(?:[\w-]+ )?warning(?:\[[\w-]+\]|\([\w-]+\)| [A-Z]{1,4}\d{2,5})?\s?:(?!:|\d|\/\/)/i,
    /^\s*(?:\d{4}-\d\d-\d\d[T ][\d:.,]+\S*\s+)?[[(|<]?(?:WARN|WARNING)[\])|>]?(?:\s|:|$)(?!\s*[:=]?\s*0\b)/,
    /^\s*(?:::warning\b|##\[warning\])/,
    /^npm (?:WARN|warn)\b/,
    /^(?:warning|CMake (?:Deprecation )?Warning)\b/i,
    /\b\w*(?:Deprecation|User|Runtime|Future|Resource|Syntax|Import)Warning\b/,
    /^\s*(?:⚠️?|⚠)\s/,
    /\b[1-9]\d*(?: \w+)? warnings?\b/i,
    /^not ok\b.*#\s*todo/i,
];

/* Cheap first test: most lines of a log have none of these. */
const hint =
    /err|fail|fatal|panic|trace|exception|not ok|\bE {2,}|E\/|✖|✗|✘|×|❌|✕|⚠|warn|crit|sever|emerg|alert|undefined ref|segm|core dumped|killed|not found|No such|denied|cannot find|sanitizer|\*\*\*|stopped|exit|uncaught|unhandled|caused by|goroutine|^ld|not run/i;

/* "0 errors, 0 warnings" says that all is well: what counts nothing is taken out before looking. */
const nothingCounted =
    /\b(?:0|no)(?: \w+)? (?:errors?|failed|failures?|failing|warnings?)\b|\b(?:errors?|failed|failures?|warnings?)\s*[:=]\s*0\b(?!\.\d)/gi;

/** The longest part of a line that is looked at: what a tool has to say stands at its start. */
const LOOKED_AT = 1000;

export function severityOf(line: string): Severity {
    if (!hint.test(line)) return undefined;
    const text = (line.length > LOOKED_AT ? line.slice(0, LOOKED_AT) : line).replace(nothingCounted, '');
    if (!hint.test(text)) return undefined;
    if (errorLabel.test(text) || errors.some((each) => each.test(text))) {
        return /^\s*(?:::warning\b|##\[warning\]|npm warn\b)/i.test(text) ? 'warning' : 'error';
    }
    return warnings.some((each) => each.test(text)) ? 'warning' : undefined;
}
