import '@testing-library/jest-dom';
import { configure } from '@testing-library/react';

// A busy machine takes its time; a test that waits in vain fails all the same.
configure({ asyncUtilTimeout: 15_000 });
jest.setTimeout(60_000);
