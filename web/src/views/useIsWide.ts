import { useEffect, useState } from 'preact/hooks';

const wide = matchMedia('(min-width: 1000px)');
const narrow = matchMedia('(max-width: 720px)');

function useMedia(query: MediaQueryList): boolean {
    const [is, set] = useState(query.matches);
    useEffect(() => {
        const look = () => set(query.matches);
        look();
        query.addEventListener('change', look);
        return () => query.removeEventListener('change', look);
    }, []);
    return is;
}

/** Whether there is room for two panes beside each other. */
export const useIsWide = () => useMedia(wide);

/** Whether a row has to be of two lines. */
export const useIsNarrow = () => useMedia(narrow);
