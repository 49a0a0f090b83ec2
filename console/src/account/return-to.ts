const storageKey = 'doorward-return-to';
/** A link of a mail is opened sooner, or whoever wanted to go somewhere has forgotten it. */
const memoryMs = 86_400_000;

interface Kept {
  return_to: string;
  until: number;
}

/** Keeps where a visitor wants to go for the link of a mail, which opens in another tab and carries nothing of it. */
export function rememberReturn(return_to: string | undefined): void {
  if (return_to === undefined) localStorage.removeItem(storageKey);
  else localStorage.setItem(storageKey, JSON.stringify({ return_to, until: Date.now() + memoryMs }));
}

/** Where the visitor of this browser wanted to go. It is as good as a parameter of the URL: see `returnUrl`. */
export function recallReturn(): string | undefined {
  const kept: Kept | null = JSON.parse(localStorage.getItem(storageKey) ?? 'null');
  return kept !== null && Date.now() < kept.until ? kept.return_to : undefined;
}
