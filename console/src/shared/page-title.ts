import { useEffect } from 'react';
import { config } from './config.ts';

/** Names the page, in the tab and in the history, and to whoever hears it instead of seeing another one come. */
export function usePageTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} – ${config.product.name}`;
    const announcer = document.getElementById('announcer');
    if (announcer !== null) announcer.textContent = title;
  }, [title]);
}
