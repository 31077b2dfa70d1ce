# One image for every process; compose.yaml says which command each container runs.
FROM python:3.11-slim-bookworm
WORKDIR /app
COPY scripts/install.sh scripts/install.sh
RUN bash scripts/install.sh run
COPY requirements.txt requirements-server.txt ./
RUN pip install --no-cache-dir -r requirements-server.txt
COPY package.json package-lock.json .npmrc ./
COPY core/__init__.py core/frontend.py core/
RUN python -c "from core import frontend; frontend.install()"
COPY . .
RUN useradd --system --create-home signalbox && install -d -o signalbox -m 700 /data
USER signalbox
ENV DATA_DIR=/data HOST=0.0.0.0 SERVER=uvicorn PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["python", "manage.py", "serve"]
