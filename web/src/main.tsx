import { render } from 'preact';
import './page.css';

render(<h1>Fanfare</h1>, document.getElementById('page')!);
