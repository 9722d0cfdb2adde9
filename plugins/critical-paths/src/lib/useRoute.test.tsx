import {
  createRouteRef,
  routeResolutionApiRef,
} from '@backstage/frontend-plugin-api';
import { TestApiProvider } from '@backstage/frontend-test-utils';
import { render, screen } from '@testing-library/react';
import { MemoryRouter } from 'react-router-dom';
import { useRoute } from './useRoute';

const ref = createRouteRef();

function Cell() {
  return <li>{useRoute(ref)?.() ?? 'none'}</li>;
}

function renderCells(resolve: jest.Mock, at = '/here') {
  return render(
    <TestApiProvider apis={[[routeResolutionApiRef, { resolve }]]}>
      <MemoryRouter initialEntries={[at]}>
        {[1, 2, 3].map(key => (
          <Cell key={key} />
        ))}
      </MemoryRouter>
    </TestApiProvider>,
  );
}

const texts = () => screen.getAllByRole('listitem').map(li => li.textContent);

it('resolves a route once for a whole page, and for each portal', () => {
  const resolve = jest.fn(() => () => '/there');
  renderCells(resolve);
  expect(texts()).toEqual(['/there', '/there', '/there']);
  expect(resolve).toHaveBeenCalledTimes(1);
  expect(resolve).toHaveBeenCalledWith(ref, { sourcePath: '/here' });
});

it('asks again for a route that was not there', () => {
  const resolve = jest.fn();
  const { unmount } = renderCells(resolve);
  expect(texts()).toEqual(['none', 'none', 'none']);
  expect(resolve).toHaveBeenCalledTimes(3);
  unmount();
  resolve.mockReturnValue(() => '/there');
  renderCells(resolve);
  expect(texts()).toEqual(['/there', '/there', '/there']);
});
