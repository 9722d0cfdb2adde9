import '@testing-library/jest-dom';
import { configure } from '@testing-library/react';

// The first render of a file loads its pages lazily, which a busy machine does slowly.
configure({ asyncUtilTimeout: 15_000 });
jest.setTimeout(60_000);
