// Generalised advantage estimation (Schulman et al. 2016), Σ_k (γλ)^k δ_{t+k} up to the end of an episode. A thread
// goes back through the steps of one environment, in double precision as the CPU does, with the same operations in the
// same order.

STPN_GENERAL_KERNEL generalized_advantages(AdvantageOperands a) {
    const long long env = (long long)block_index() * SUM_THREADS + thread_index();
    if (env >= a.batch) return;
    double carried = 0, next_value = Real(a.last_values[env]);
    for (int t = a.steps - 1; t >= 0; --t) {
        const long long n = (long long)t * a.batch + env;
        if (a.terminated[n]) {
            carried = next_value = 0;
        } else if (a.truncated[n]) {
            carried = 0;
            next_value = Real(a.final_values[n]);
        }
        const double value = Real(a.values[a.first + t * a.by_step + env * a.by_environment]);
        const double delta = Real(a.rewards[n]) + a.gamma * next_value - value;
        carried = delta + a.gamma * a.lambda * carried;
        a.advantages[n] = Real(carried);
        a.returns[n] = Real(carried + value);
        next_value = value;
    }
}
