import { createFrontendModule } from '@backstage/frontend-plugin-api';
import { IconBundleBlueprint } from '@backstage/plugin-app-react';
import { RiRouteLine } from '@remixicon/react';
import { sidebar } from './Sidebar';
import { signInPage } from './signIn';
import { darkTheme, lightTheme } from './themes';

const icons = IconBundleBlueprint.make({
  name: 'rocket',
  params: { icons: { 'kind:criticalpath': <RiRouteLine /> } },
});

/** Rocket's name, look, sidebar and sign-in page, in place of the stock ones. */
export const appModule = createFrontendModule({
  pluginId: 'app',
  extensions: [lightTheme, darkTheme, sidebar, signInPage, icons],
});
