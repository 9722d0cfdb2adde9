/*
 * Asks for what the board shows while the portal's own code is still being
 * loaded. Only for the guest who has entered in this tab; everybody else's
 * sign-in, and whatever fails here, is left to the portal. The token stays in
 * this function. The board is taken by plugins/critical-paths/src/lib/earlyBoard.ts
 * once the portal has signed in the same user.
 */
(() => {
  const root = new URL('.', document.currentScript.src);
  const query = new URLSearchParams(window.location.search);
  if (
    window.sessionStorage.getItem('rocket.guest') !== 'entered' ||
    window.location.pathname !== `${root.pathname}critical-paths` ||
    (query.get('board') ?? 'overview') !== 'overview'
  ) {
    return;
  }
  const wanted = query.get('window') ?? '24h';

  const ask = async (path, headers) => {
    const answer = await fetch(new URL(path, root), { headers });
    if (!answer.ok) {
      throw new Error(`${path} answers ${answer.status}`);
    }
    return answer.json();
  };

  const board = async () => {
    const { backstageIdentity } = await ask('api/auth/guest/refresh', {
      'x-requested-with': 'XMLHttpRequest',
    });
    const answer = await ask(
      `api/critical-paths/paths?window=${encodeURIComponent(wanted)}`,
      { authorization: `Bearer ${backstageIdentity.token}` },
    );
    const { userEntityRef } = backstageIdentity.identity;
    return { userEntityRef, answer };
  };

  window.rocketEarlyBoard = { window: wanted, at: Date.now(), board: board() };
  window.rocketEarlyBoard.board.catch(() => {});
})();
