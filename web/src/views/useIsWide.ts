import { useEffect, useState } from 'preact/hooks';

const wide = matchMedia('(min-width: 1000px)');

/** Whether there is room for the components beside the terminal. */
export function useIsWide(): boolean {
    const [is, set] = useState(wide.matches);
    useEffect(() => {
        const look = () => set(wide.matches);
        look();
        wide.addEventListener('change', look);
        return () => wide.removeEventListener('change', look);
    }, []);
    return is;
}
