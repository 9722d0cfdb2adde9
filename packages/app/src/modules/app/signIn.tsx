import { SignInPageBlueprint } from '@backstage/plugin-app-react';

/** Replaces the stock sign-in page. */
export const signInPage = SignInPageBlueprint.make({
  params: {
    loader: () => import('./RocketSignInPage').then(m => m.RocketSignInPage),
  },
});
