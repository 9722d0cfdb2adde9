import { createDevApp } from '@backstage/frontend-dev-utils';
import ciRegistryPlugin from '../src';

createDevApp({ features: [ciRegistryPlugin] });
