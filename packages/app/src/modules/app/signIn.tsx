import { SignInPageBlueprint } from '@backstage/plugin-app-react';

// Nobody gets past it: it is loaded with the portal, not once the portal asks for it.
const page = import('./RocketSignInPage');
page.catch(() => {
  // Told by whoever opens the page.
});

/** Replaces the stock sign-in page. */
export const signInPage = SignInPageBlueprint.make({
  params: {
    loader: () => page.then(m => m.RocketSignInPage),
  },
});
