import { createFrontendModule } from '@backstage/frontend-plugin-api';
import { HomePageLayoutBlueprint } from '@backstage/plugin-home-react/alpha';

const layout = HomePageLayoutBlueprint.make({
  name: 'rocket',
  params: {
    loader: () => import('./RocketHomeLayout').then(m => m.RocketHomeLayout),
  },
});

/** The home page: the reader's critical paths, what they own, and Create. */
export const homeModule = createFrontendModule({
  pluginId: 'home',
  extensions: [layout],
});
