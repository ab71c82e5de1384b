import type { JSX } from 'preact';

/* The page's own signs, drawn in the colour of the text around them. */

const shapes = {
    check: <path d="M3.5 8.5l3 3 6-7" />,
    cross: <path d="M4.5 4.5l7 7m0-7l-7 7" />,
    chevron: <path d="M6 4l4 4-4 4" />,
    down: <path d="M4 6l4 4 4-4" />,
    search: (
        <>
            <circle cx="7" cy="7" r="4" />
            <path d="M10 10l3.5 3.5" />
        </>
    ),
    copy: (
        <>
            <rect x="5.5" y="5.5" width="8" height="8" rx="1.5" />
            <path d="M10.5 5.5v-2a1 1 0 0 0-1-1h-6a1 1 0 0 0-1 1v6a1 1 0 0 0 1 1h2" />
        </>
    ),
    link: (
        <path d="M6.5 9.5l3-3M7.5 4.5l1.2-1.2a2.8 2.8 0 0 1 4 4L11.500 8.500M8.500 11.500l-1.200 1.200a2.800 2.800 0 0 1-4-4L4.500 7.500" />
    ),
    sun: (
        <>
            <circle cx="8" cy="8" r="2.7" />
            <path d="M8 1.500v1.300m0 10.400v1.300M1.500 8h1.300m10.400 0h1.300M3.400 3.400l.9.9m7.400 7.400l.9.9m0-9.200l-.9.9m-7.400 7.400l-.9.9" />
        </>
    ),
    moon: <path d="M13.2 9.600A5.600 5.600 0 0 1 6.400 2.800a5.600 5.600 0 1 0 6.800 6.800z" />,
    system: (
        <>
            <rect x="2" y="3" width="12" height="8.500" rx="1.500" />
            <path d="M6 14h4" />
        </>
    ),
    bell: <path d="M4 11V7.500a4 4 0 0 1 8 0V11l1.200 1.500H2.800L4 11zm2.700 1.500a1.400 1.400 0 0 0 2.600 0" />,
    bellOff: (
        <path d="M12 9V7.500a4 4 0 0 0-6.500-3.100M4 6.500V11l-1.200 1.500h8.700m-4.800 0a1.400 1.400 0 0 0 2.600 0M2.500 2.500l11 11" />
    ),
    people: (
        <>
            <circle cx="6" cy="5.500" r="2.300" />
            <path d="M1.800 13a4.200 4.200 0 0 1 8.400 0M10.800 3.500a2.300 2.300 0 0 1 0 4.200M12 9.500a4.200 4.200 0 0 1 2.300 3.500" />
        </>
    ),
    person: (
        <>
            <circle cx="8" cy="5.500" r="2.500" />
            <path d="M3 13.500a5 5 0 0 1 10 0" />
        </>
    ),
    globe: (
        <>
            <circle cx="8" cy="8" r="6" />
            <path d="M2 8h12M8 2a9 9 0 0 1 0 12a9 9 0 0 1 0-12" />
        </>
    ),
    folder: <path d="M2 12.500v-9h4l1.500 2H14v7z" />,
    hash: <path d="M6.500 2.500l-1 11m5-11l-1 11M3 6h10.500M2.500 10.500H13" />,
    key: (
        <>
            <circle cx="5" cy="11" r="2.700" />
            <path d="M7 9l6.500-6.500M11 5l2 2" />
        </>
    ),
    pause: <path d="M5.500 4v8m5-8v8" />,
    play: <path d="M5 3.500l7 4.500-7 4.500z" />,
    rewind: <path d="M2.500 8a5.500 5.500 0 1 0 1.700-4L2.500 5.600M2.500 2.500v3.100h3.100M8 5v3.200l2.200 1.500" />,
    file: <path d="M4 2.500h5l3 3v8H4zM9 2.500v3h3" />,
    flag: <path d="M4 14V2.500m0 .5h8l-2 2.700 2 2.800H4" />,
    terminal: (
        <>
            <rect x="2" y="3" width="12" height="10" rx="1.500" />
            <path d="M4.500 6l2 2-2 2m3.500 0h3" />
        </>
    ),
    bolt: <path d="M9 1.500L3.500 9H8l-1 5.500L12.500 7H8z" />,
    up: <path d="M8 13V3.500M4 7l4-4 4 4" />,
    swap: <path d="M5 13V3m0 0L2.500 5.500M5 3l2.500 2.500M11 3v10m0 0l2.500-2.500M11 13l-2.500-2.500" />,
    help: (
        <>
            <circle cx="8" cy="8" r="6" />
            <path d="M6.200 6.300a1.800 1.800 0 1 1 2.600 1.600c-.5.3-.8.600-.8 1.200v.3m0 1.900v.1" />
        </>
    ),
    back: <path d="M10 4L6 8l4 4" />,
    side: (
        <>
            <rect x="2" y="3" width="12" height="10" rx="1.500" />
            <path d="M6.500 3v10" />
        </>
    ),
    warn: <path d="M8 2.500l6 10.500H2zM8 6.500v3m0 1.800v.1" />,
    trash: <path d="M3 4.500h10M6.500 4.500v-1.500h3v1.500M4.500 4.500l.5 9h6l.5-9" />,
} satisfies Record<string, JSX.Element>;

export type IconName = keyof typeof shapes;

export function Icon({ name, class: className = '' }: { name: IconName; class?: string }) {
    return (
        <svg
            class={`icon ${className}`}
            viewBox="0 0 16 16"
            width="16"
            height="16"
            aria-hidden="true"
            focusable="false"
        >
            {shapes[name]}
        </svg>
    );
}
