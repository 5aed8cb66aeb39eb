# What `stpn check-env` asks.


def check(settings, request):
    """Gymnasium's own check, and how fast the environment steps in this process."""
    import warnings

    result = {"problem": None, "warnings": []}
    env = settings.environment()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                from gymnasium.utils.env_checker import check_env

                check_env(env.unwrapped, skip_render_check=True)
            except Exception as error:
                result["problem"] = f"{type(error).__name__}: {error}"
        result["warnings"] = sorted({" ".join(str(entry.message).split()) for entry in caught})
    finally:
        env.close()
    env = settings.environment()
    try:
        actions = sampler(settings)
        sampled = [next(actions) for _ in range(512)]
        env.reset(seed=0)
        steps, start = 0, time.perf_counter()
        while time.perf_counter() - start < request["seconds"]:
            play(env, sampled[:64])
            steps += 64
            sampled = sampled[64:] + sampled[:64]
        result["steps_per_second"] = steps / (time.perf_counter() - start)
    finally:
        env.close()
    return result


