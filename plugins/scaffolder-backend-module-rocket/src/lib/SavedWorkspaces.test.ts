import { createMockDirectory } from '@backstage/backend-test-utils';
import { SavedWorkspaces } from './SavedWorkspaces';

describe('SavedWorkspaces', () => {
  const root = createMockDirectory();
  const taskId = '0237fbda-df1a-427b-8e70-38cec648147f';
  const workspace = () => root.resolve('work');
  let saved: SavedWorkspaces;

  beforeEach(() => {
    root.clear();
    saved = new SavedWorkspaces(root.resolve('saved'));
  });

  const rehydrate = () =>
    saved.rehydrateWorkspace({ taskId, targetPath: workspace() });
  const content = () =>
    (root.content() as { work?: Record<string, unknown> }).work;

  it('gives back the last saved files and nothing that came after', async () => {
    root.setContent({ work: { 'a.txt': 'one', src: { 'b.txt': 'b' } } });
    await saved.serializeWorkspace({ path: workspace(), taskId });
    root.addContent({ work: { 'a.txt': 'two' } });
    await saved.serializeWorkspace({ path: workspace(), taskId });
    root.addContent({ work: { 'a.txt': 'hal', 'half.txt': 'f' } });

    await rehydrate();
    expect(content()).toEqual({ 'a.txt': 'two', src: { 'b.txt': 'b' } });
  });

  it('starts from nothing when nothing was saved, whatever a killed step left', async () => {
    root.setContent({ work: { 'half.txt': 'f' } });
    await rehydrate();
    expect(content()).toEqual({});
  });

  it('has the earlier copy when it was killed between the two renames', async () => {
    root.setContent({ saved: { [`${taskId}.old`]: { 'a.txt': 'one' } } });
    await rehydrate();
    expect(content()).toEqual({ 'a.txt': 'one' });
    root.addContent({ work: { 'a.txt': 'two' } });
    await saved.serializeWorkspace({ path: workspace(), taskId });
    expect(root.content()).toEqual({
      saved: { [taskId]: { 'a.txt': 'two' } },
      work: { 'a.txt': 'two' },
    });
  });

  it('forgets a finished run, half a copy, and a run of more than 30 days ago', async () => {
    root.setContent({
      work: { 'a.txt': 'one' },
      saved: { 'other.new-1': { 'a.txt': 'on' } },
    });
    await saved.serializeWorkspace({ path: workspace(), taskId });
    await saved.prune();
    expect(root.content()).toHaveProperty(['saved', taskId]);
    expect(root.content()).not.toHaveProperty(['saved', 'other.new-1']);
    await saved.prune(Date.now() + 31 * 24 * 60 * 60 * 1000);
    expect(root.content()).toHaveProperty('saved', {});
    await saved.serializeWorkspace({ path: workspace(), taskId });
    await saved.cleanWorkspace({ taskId });
    expect(root.content()).toHaveProperty('saved', {});
  });

  it('takes no path for a task', async () => {
    await expect(saved.cleanWorkspace({ taskId: '../work' })).rejects.toThrow(
      "'../work' is not the id of a task",
    );
  });
});
