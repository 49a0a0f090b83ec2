/** Whether the browser keeps cookies and anything else for these pages. Where its user forbids that, its stores throw. */
export const canStore = tryStores();

function tryStores(): boolean {
  try {
    return localStorage !== null && sessionStorage !== null;
  } catch {
    return false;
  }
}
