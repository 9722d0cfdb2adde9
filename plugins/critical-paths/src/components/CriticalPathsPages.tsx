import { QueryRoot } from '@rocket/rocket-react';
import { NotFoundErrorPage } from '@backstage/frontend-plugin-api';
import { Route, Routes } from 'react-router-dom';
import { BoardPage } from './board/BoardPage';
import { PathPage } from './path/PathPage';

/** Everything below `/critical-paths`. */
export function CriticalPathsPages() {
  return (
    <QueryRoot>
      <main>
        <Routes>
          <Route index element={<BoardPage />} />
          <Route path=":namespace/:name" element={<PathPage />} />
          <Route path="*" element={<NotFoundErrorPage />} />
        </Routes>
      </main>
    </QueryRoot>
  );
}
