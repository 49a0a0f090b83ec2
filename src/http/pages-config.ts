/** What the pages in `console/` are told by the server, in a block of JSON in the document. */
export interface PagesConfig {
  /** The path below which everything is, as browsers see it: that of PUBLIC_URL, without a slash at its end. */
  base: string;
  /** Where the endpoints are, below `base`. */
  prefix: string;
  version: string;
  product: { name: string; color: string; logo_url: string | null };
  registration: 'open' | 'invite' | 'closed';
  email_login: boolean;
  hides_registered_emails: boolean;
  /** Or they stay in the outbox, where administrators read them. */
  sends_mails: boolean;
  deletion_grace_days: number;
  password_policy: 'composition' | 'nist';
  /** Origins, beside the pages' own, to which a page may send the browser back. */
  return_origins: string[];
}
